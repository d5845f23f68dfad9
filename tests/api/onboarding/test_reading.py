"""Reading onboarding requests and sending their invitations again.

Rulings K25, K56, K57, K95 to K98, K137, K139 and K144.
"""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from psycopg import AsyncConnection

from tests.api.onboarding.test_invitations import sent
from tests.api.onboarding.test_requests import AT_ONCE
from tests.support.world.product import Person, World, a_world

pytestmark = pytest.mark.slow

REQUESTS = "/v1/onboarding-requests/"
ANN = {"patient-email": "ann@people.test"}


async def created(world: World, by: Person, organization: UUID, **attributes: Any) -> dict[str, Any]:
    """The resource of a new request; nothing is sent unless the attributes say so."""
    given = {"organization": str(organization), "notifications": [], **attributes}
    resource: dict[str, Any] = (
        await world.post(REQUESTS, {"data": {"type": "onboarding-requests", "attributes": given}}, by)
    )["data"]
    return resource


async def resend(world: World, by: Person, request_id: str) -> httpx2.Response:
    body = {"data": {"type": "onboarding-requests-email", "attributes": {}}}
    return await world.client.post(f"{REQUESTS}{request_id}/email/", json=body, headers=by.bearer)


def refusal(answer: httpx2.Response) -> tuple[int, str, Any]:
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"], error["source"]


async def ids(world: World, by: Person, organization: UUID, **parameters: Any) -> list[str]:
    listed = await world.get(REQUESTS, by, 200, organization=organization, **parameters)
    return [row["id"] for row in listed["data"]]


async def test_a_client_reads_its_own_request_in_the_list_at_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        first = await created(world, world.system, north, **ANN)
        second = await created(world, world.system, north, **{"phone-number": "+12125550123"})
        await created(world, world.system, south, **ANN)
        listed = await world.get(REQUESTS, world.system, 200, organization=north)
        assert [row["id"] for row in listed["data"]] == [second["id"], first["id"]]
        assert listed["meta"]["page[total]"] == 2
        nothing_of_invites = {"last-invite": None, "email-dsn": None}
        assert listed["data"][1] == {**first, "attributes": {**first["attributes"], **nothing_of_invites}}
        page = {"page[limit]": 1, "page[offset]": 1}
        assert await ids(world, world.system, north, **page) == [first["id"]]
        assert (await world.get(f"{REQUESTS}{first['id']}/", world.system))["data"] == first


async def test_the_list_filters_by_type_email_and_shown_patients(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin = await world.admin(north)
        ann = await created(world, admin, north, **ANN)
        bob = await created(world, admin, north, **AT_ONCE, **{"patient-email": "bob@people.test"})
        doc = await created(world, admin, north, **{"patient-email": "doc@people.test", "onboard-type": "provider"})
        assert await ids(world, admin, north) == [bob["id"], ann["id"]]
        providers = await ids(world, admin, north, **{"onboard-type": "provider"})
        assert providers[0] == doc["id"]
        assert await ids(world, admin, north, email="ANN@people.test") == [ann["id"]]
        assert await ids(world, admin, north, email="nobody@people.test") == []
        patient = bob["attributes"]["patient"]
        assert await ids(world, admin, north, **{"patient-ids": [patient, str(uuid4())]}) == [bob["id"]]


async def test_with_invite_the_list_shows_the_last_invitations(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        request = await created(world, world.system, north, **ANN, notifications=["email"])
        rows = (await world.get(REQUESTS, world.system, 200, organization=north, **{"with-invite": "true"}))["data"]
        assert rows == [request]
        assert request["attributes"]["last-invite"]["email"]["status"] == "created"
        assert request["attributes"]["email-dsn"] is None


async def test_only_those_who_invite_providers_read_their_requests(database_url: str) -> None:
    """K57 and K97: everybody who reads the organization reads those of patients."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, provider = await world.admin(north), await world.provider(north)
        staff_home = UUID((await world.post("/v1/authenticate/", {}, world.system))["data"]["organization-id"])
        staff = await world.provider(staff_home)
        patient = await world.patient(north)
        strangers = [await world.provider(south), await world.admin(south), patient]
        about_patient = await created(world, admin, north, **ANN)
        about_provider = await created(
            world, admin, north, **{"patient-email": "doc@people.test", "onboard-type": "provider"}
        )
        for by in (admin, staff, world.system, world.service):
            for request in (about_patient, about_provider):
                assert (await world.get(f"{REQUESTS}{request['id']}/", by))["data"]["id"] == request["id"]
            assert about_provider["id"] in await ids(world, by, north, **{"onboard-type": "provider"})
        assert await ids(world, provider, north, email="ann@people.test") == [about_patient["id"]]
        await world.get(f"{REQUESTS}{about_patient['id']}/", provider)
        await world.get(f"{REQUESTS}{about_provider['id']}/", provider, 404)
        query = {"organization": str(north), "onboard-type": "provider"}
        answer = await world.client.get(REQUESTS, params=query, headers=provider.bearer)
        assert refusal(answer) == (403, "forbidden", {"parameter": "onboard-type"})
        for by in strangers:
            for request in (about_patient, about_provider):
                await world.get(f"{REQUESTS}{request['id']}/", by, 404)
            answer = await world.client.get(REQUESTS, params={"organization": str(north)}, headers=by.bearer)
            assert refusal(answer) == (404, "not-found", {"parameter": "organization"})


async def test_a_request_about_a_known_user_hides_the_user(database_url: str) -> None:
    """Ruling A1: their individual does not match either."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, known = await world.admin(south), await world.patient(north)
        request = await created(world, admin, south, **{"patient-email": known.email})
        shown = (await world.get(f"{REQUESTS}{request['id']}/", admin))["data"]["attributes"]
        assert (shown["patient"], shown["claimed-by"], shown["claimed-time"]) == (None, None, None)
        assert await ids(world, admin, south, **{"patient-ids": str(known.individual_id)}) == []


async def test_the_status_follows_the_message_and_the_sign_up(database_url: str, tmp_path: Path) -> None:
    """K96: invited from the first message handed over; registering and claimed with their times."""
    async with a_world(database_url, outbox=tmp_path) as world:
        north = await world.organization()
        request = await created(world, world.system, north, **ANN, notifications=["email"])
        path = f"{REQUESTS}{request['id']}/"
        assert request["attributes"]["status"] == "created"
        await world.catch_up()
        shown = (await world.get(path, world.system))["data"]["attributes"]
        invite = shown["last-invite"]["email"]
        assert (shown["status"], invite["status"], invite["error"]) == ("invited", "sent", None)
        delivery = shown["email-dsn"]
        assert (delivery["type"], delivery["id"]) == ("email-dsn", invite["id"])
        assert delivery["attributes"] == {
            "bounce": None, "created-at": invite["created-time"], "email": "ann@people.test", "state": "sent",
            "status-at": None,
        }  # fmt: skip
        signed_up = await created(
            world, world.system, north,
            **{"patient-email": "bob@people.test", "auto-sign-up": True, "password": AT_ONCE["password"]},
        )  # fmt: skip
        shown = (await world.get(f"{REQUESTS}{signed_up['id']}/", world.system))["data"]["attributes"]
        assert (shown["status"], shown["done"]) == ("registering", False)
        assert shown["registering-time"] is not None
        claimed = await created(world, world.system, north, **AT_ONCE, **{"patient-email": "eve@people.test"})
        shown = (await world.get(f"{REQUESTS}{claimed['id']}/", world.system))["data"]["attributes"]
        assert (shown["status"], shown["done"], shown["registering-time"]) == ("claimed", True, None)
        assert shown["claimed-time"] is not None


async def test_resending_goes_over_every_channel_with_new_codes(database_url: str, tmp_path: Path) -> None:
    """K98 and K31: whatever the notifications said; earlier codes stay valid."""
    async with a_world(database_url, outbox=tmp_path) as world:
        north = await world.organization()
        provider = await world.provider(north)
        request = await created(world, provider, north, **ANN, **{"phone-number": "+12125550123"})
        answer = await resend(world, provider, request["id"])
        assert answer.status_code == 201
        shown = answer.json()["data"]["attributes"]
        assert [shown["last-invite"][channel]["status"] for channel in ("email", "sms")] == ["created", "created"]
        assert int(answer.headers["x-position"]) == answer.json()["meta"]["position"]
        rows = (await world.get(REQUESTS, provider, 200, organization=north, **{"with-invite": "true"}))["data"]
        assert rows == [answer.json()["data"]]
        await resend(world, provider, request["id"])
        await world.catch_up()
        messages = sent(tmp_path)
        assert sorted(message["kind"] for message in messages) == ["email", "email", "sms", "sms"]
        codes = [message["code"] for message in messages]
        assert len(set(codes)) == 4
        for code in codes:
            found = await world.services.directory.referral_code(code)
            assert found is not None
            assert str(found.request_id) == request["id"]


async def test_staff_and_strangers_do_not_resend(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        provider = await world.provider(north)
        staff_home = UUID((await world.post("/v1/authenticate/", {}, world.system))["data"]["organization-id"])
        staff = await world.provider(staff_home)
        patient = await created(world, world.system, north, **ANN)
        doc = await created(
            world, world.system, north, **{"patient-email": "doc@people.test", "onboard-type": "provider"}
        )
        assert refusal(await resend(world, staff, patient["id"])) == (403, "forbidden", {})
        not_found = (404, "not-found", {"parameter": "id"})
        assert refusal(await resend(world, provider, doc["id"])) == not_found
        assert refusal(await resend(world, await world.admin(south), patient["id"])) == not_found
        assert refusal(await resend(world, provider, str(uuid4()))) == not_found


async def test_a_claimed_request_is_not_resent(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        claimed = await created(world, world.system, north, **AT_ONCE, **ANN)
        assert refusal(await resend(world, world.system, claimed["id"])) == (409, "invalid-state", {})


async def test_an_inactive_organization_resends_nothing(database_url: str) -> None:
    """K144: only system administrators and services still read the request."""
    async with a_world(database_url) as world:
        north = await world.organization()
        admin = await world.admin(north)
        request = await created(world, admin, north, **ANN)
        switched = {"type": "organizations", "id": str(north), "attributes": {"is-active": False}}
        await world.patch(f"/v1/organizations/{north}/", {"data": switched}, world.system)
        for by in (world.system, world.service):
            await world.get(f"{REQUESTS}{request['id']}/", by)
            assert refusal(await resend(world, by, request["id"])) == (409, "invalid-state", {})
        assert refusal(await resend(world, admin, request["id"])) == (404, "not-found", {"parameter": "id"})


async def test_a_request_is_resent_a_few_times_an_hour(database_url: str) -> None:
    """K25; without Redis half of the limit counts."""
    async with a_world(database_url, onboarding_resends=5) as world:
        north = await world.organization()
        request = await created(world, world.system, north, **ANN)
        other = await created(world, world.system, north, **{"patient-email": "bob@people.test"})
        statuses = [(await resend(world, world.system, request["id"])).status_code for _ in range(4)]
        assert statuses == [201, 201, 201, 429]
        answer = await resend(world, world.system, request["id"])
        assert 0 < int(answer.headers["retry-after"]) <= 3600
        assert (await resend(world, world.system, other["id"])).status_code == 201


async def test_no_event_or_answer_of_a_resend_holds_a_code(database_url: str, tmp_path: Path) -> None:
    """K137 and K145."""
    async with (
        a_world(database_url, outbox=tmp_path) as world,
        await AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        request = await created(world, world.system, await world.organization(), **ANN)
        answer = await resend(world, world.system, request["id"])
        await world.catch_up()
        (mail,) = sent(tmp_path)
        rows = await (await owner.execute("SELECT convert_from(state, 'UTF8') FROM events")).fetchall()
        for text in (answer.text, *(row[0] for row in rows)):
            assert mail["code"] not in text
            assert mail["code"].replace("-", "") not in text
