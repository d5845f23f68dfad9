"""Another e-mail address for an onboarding request (rulings K84, K31, A1 and O7)."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from domain.people.users import User
from tests.api.onboarding.test_claims import NOT_FOUND, claim, code_of, refusal, the_request
from tests.api.onboarding.test_invitations import sent
from tests.api.onboarding.test_reading import REQUESTS, created, resend
from tests.api.onboarding.test_requests import AT_ONCE, allowed, count
from tests.support.world.product import Person, World, a_world

pytestmark = pytest.mark.slow

ANN = {"patient-email": "ann@people.test", "notifications": ["email"]}
POINTER = {"pointer": "/data/attributes/email"}


async def change(world: World, by: Person, request_id: str, email: Any) -> httpx2.Response:
    data = {"type": "onboarding-requests", "id": request_id, "attributes": {"email": email}}
    return await world.client.patch(f"{REQUESTS}{request_id}/", json={"data": data}, headers=by.bearer)


async def test_a_user_made_ahead_gets_the_new_address(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path) as world:
        north = await world.organization()
        provider = await world.provider(north)
        request = await created(world, provider, north, **ANN)
        user_id = (await the_request(world)).user_id
        answer = await change(world, provider, request["id"], "anna@people.test")
        assert answer.status_code == 200, answer.text
        shown = answer.json()["data"]["attributes"]
        assert (shown["patient-email"], shown["status"], shown["patient"]) == ("anna@people.test", "created", None)
        assert shown["last-invite"]["email"]["id"] != request["attributes"]["last-invite"]["email"]["id"]
        assert int(answer.headers["x-position"]) == answer.json()["meta"]["position"]
        listed = await world.get(REQUESTS, provider, 200, organization=north, email="anna@people.test")
        assert [row["id"] for row in listed["data"]] == [request["id"]]
        assert (await the_request(world)).user_id == user_id
        user = await world.identity.store.get(User, user_id)
        assert user.names.revealed[0] == "anna@people.test"
        await world.catch_up()
        assert [message["to"] for message in sent(tmp_path)] == ["anna@people.test"]  # the former one is void


async def test_codes_by_email_are_void_and_those_by_text_stay(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known = await world.patient(north, "ann@people.test")
        both = {**ANN, "phone-number": "+12125550123", "notifications": ["email", "sms"]}
        request = await created(world, world.system, south, **both)
        codes = [code_of(world, request["attributes"], channel) for channel in ("email", "sms")]
        assert (await change(world, world.system, request["id"], "anna@people.test")).status_code == 200
        by_email, by_text = [await world.services.directory.referral_code(code) for code in codes]
        assert by_email is None
        assert by_text is not None
        assert refusal(await claim(world, known, codes[0])) == NOT_FOUND


async def test_the_same_address_changes_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        request = await created(world, world.system, await world.organization(), **ANN)
        head = await world.identity.store.save()
        answer = await change(world, world.system, request["id"], "ANN@people.test")
        assert (answer.status_code, answer.json()["data"]) == (200, request)
        assert await world.identity.store.save() == head


async def test_a_request_without_notifications_invites_no_new_address(database_url: str) -> None:
    async with a_world(database_url) as world:
        request = await created(world, world.system, await world.organization(), **ANN | {"notifications": []})
        answer = await change(world, world.system, request["id"], "anna@people.test")
        assert answer.json()["data"]["attributes"]["last-invite"] == {"email": None, "sms": None}


async def test_the_request_is_about_the_known_user_with_the_address(database_url: str) -> None:
    """A1: nothing of them changes, and the answer is the same as for a new address."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, known = await world.admin(south), await world.patient(north)
        answers = []
        for number, email in enumerate((known.email, "new@people.test")):
            request = await created(world, admin, south, **ANN | {"patient-email": f"guest-{number}@people.test"})
            answer = await change(world, admin, request["id"], email)
            shown = answer.json()["data"]["attributes"]
            assert shown.pop("patient-email") == email
            shown["last-invite"]["email"] = {**shown["last-invite"]["email"], "id": None, "created-time": None}
            answers.append((answer.status_code, sorted(answer.headers), {**shown, "created-time": None}))
            if email == known.email:
                code = code_of(world, answer.json()["data"]["attributes"])
        assert answers[0] == answers[1]
        before = (await world.get(f"/v1/users/{known.user_id}/", world.system))["data"]["attributes"]
        assert (before["email"], before["shared-with"][0]["id"]) == (known.email, str(north))
        assert not await allowed(world, admin.user_id, f"individual:{known.individual_id}:read")
        assert (await claim(world, known, code)).status_code == 201
        assert await allowed(world, admin.user_id, f"individual:{known.individual_id}:read")


async def test_from_a_known_user_to_an_unknown_address_a_user_is_made(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, known = await world.admin(south), await world.patient(north)
        group = await world.group(south)
        given = {**ANN, "patient-email": known.email, "individual-group-id": str(group)}
        request = await created(world, admin, south, **given)
        code = code_of(world, request["attributes"])
        assert (await change(world, admin, request["id"], "new@people.test")).status_code == 200
        user_id = (await the_request(world)).user_id
        assert user_id != known.user_id
        user = await world.identity.store.get(User, user_id)
        assert (user.names.revealed[0], user.state) == ("new@people.test", "init")
        assert await count(world, "SELECT count(*) FROM group_individuals") == 1
        assert (await world.identity.store.get(User, known.user_id)).names.revealed[0] == known.email
        assert refusal(await claim(world, known, code)) == NOT_FOUND


async def test_a_user_name_that_was_the_former_address_goes_with_it(database_url: str) -> None:
    """Ruling O2: a user name that is an address is the user's own."""
    async with a_world(database_url) as world:
        north = await world.organization()
        admin = await world.admin(north)
        wanted = {"patient-email": "ann@people.test", "username": "Ann@people.test"}
        request = await created(world, admin, north, **wanted)
        assert (await change(world, admin, request["id"], "anna@people.test")).status_code == 200
        found = await world.services.directory.users_by_email(["anna@people.test"])
        user = await world.identity.store.get(User, found["anna@people.test"])
        assert user.names.revealed == ("anna@people.test", None, None)


async def test_an_open_request_for_the_address_is_in_the_way(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        request = await created(world, world.system, north, **ANN)
        await created(world, world.system, north, **ANN | {"patient-email": "bob@people.test"})
        answer = await change(world, world.system, request["id"], "Bob@people.test")
        assert refusal(answer) == (409, "already-exists", POINTER)


async def test_of_two_requests_one_gets_the_address(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        requests = [
            await created(world, world.system, north, **ANN | {"patient-email": f"guest-{number}@people.test"})
            for number in range(4)
        ]
        answers = await asyncio.gather(
            *(change(world, world.system, request["id"], "anna@people.test") for request in requests)
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        refused = [refusal(answer) for answer in answers if answer.status_code == 409]
        assert refused == [(409, "already-exists", POINTER)] * 3


async def test_a_former_address_can_be_invited_again(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        request = await created(world, world.system, north, **ANN)
        assert (await change(world, world.system, request["id"], "anna@people.test")).status_code == 200
        await created(world, world.system, north, **ANN)


async def test_a_claimed_request_keeps_its_address(database_url: str) -> None:
    async with a_world(database_url) as world:
        request = await created(world, world.system, await world.organization(), **AT_ONCE, **ANN)
        answer = await change(world, world.system, request["id"], "anna@people.test")
        assert refusal(answer) == (409, "invalid-state", {})


async def test_only_those_who_invite_change_the_address(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        staff_home = UUID((await world.post("/v1/authenticate/", {}, world.system))["data"]["organization-id"])
        staff, provider = await world.provider(staff_home), await world.provider(north)
        request = await created(world, world.system, north, **ANN)
        doc = await created(
            world, world.system, north, **ANN | {"patient-email": "doc@p.test", "onboard-type": "provider"}
        )
        not_found = (404, "not-found", {"parameter": "id"})
        assert refusal(await change(world, staff, request["id"], "a@p.test")) == (403, "forbidden", {})
        assert refusal(await change(world, provider, doc["id"], "a@p.test")) == not_found
        assert refusal(await change(world, await world.admin(south), request["id"], "a@p.test")) == not_found
        assert (await change(world, provider, request["id"], "a@p.test")).status_code == 200


@pytest.mark.parametrize("email", [None, "nobody", "a\r\nb@people.test", 7])
async def test_what_is_no_address_is_refused(database_url: str, email: Any) -> None:
    async with a_world(database_url) as world:
        request = await created(world, world.system, await world.organization(), **ANN)
        assert refusal(await change(world, world.system, request["id"], email)) == (400, "invalid-attribute", POINTER)


async def test_a_missing_address_is_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        request = await created(world, world.system, await world.organization(), **ANN)
        data = {"type": "onboarding-requests", "id": request["id"], "attributes": {}}
        answer = await world.client.patch(
            f"{REQUESTS}{request['id']}/", json={"data": data}, headers=world.system.bearer
        )
        assert refusal(answer) == (400, "missing-attribute", POINTER)


async def test_an_invitation_that_is_sent_again_goes_to_the_new_address(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path) as world:
        request = await created(world, world.system, await world.organization(), **ANN | {"notifications": []})
        await change(world, world.system, request["id"], "anna@people.test")
        assert (await resend(world, world.system, request["id"])).status_code == 201
        await world.catch_up()
        assert [message["to"] for message in sent(tmp_path)] == ["anna@people.test"]
