"""What delivery services report of invitations (rulings K59, K96 and K100)."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.api.onboarding.test_claims import the_request
from tests.api.onboarding.test_invitations import sent
from tests.api.onboarding.test_requests import ask
from tests.support.world.product import Person, World, a_world

BOTH = {
    "patient-email": "ann@people.test", "phone-number": "+12125550123", "notifications": ["email", "sms"],
}  # fmt: skip


async def report(world: World, by: Person, message_id: str, status: str, **attributes: Any) -> httpx2.Response:
    data = {"type": "onboarding-texts", "id": message_id, "attributes": {"status": status, **attributes}}
    path = f"/v1/onboarding-texts/{message_id}/update-status/"
    return await world.client.post(path, json={"data": data}, headers=by.bearer)


async def invites(world: World) -> dict[str, Any]:
    request = await the_request(world)
    shown = await world.get(f"/v1/onboarding-requests/{request.id}/", world.system)
    return dict(shown["data"]["attributes"]["last-invite"])


async def test_a_report_shows_in_the_last_invitation(database_url: str) -> None:
    async with a_world(database_url) as world:
        made = (await ask(world, world.system, await world.organization(), **BOTH))["last-invite"]["sms"]
        for status in ("sent", "delivered", "responded"):
            answer = await report(world, world.service, made["id"], status)
            assert (answer.status_code, answer.json()) == (201, {})
            assert answer.headers["content-type"] == "application/vnd.api+json"
            assert int(answer.headers["x-position"]) == await world.identity.store.save()
            assert (await invites(world))["sms"]["status"] == status
        assert (await invites(world))["sms"]["respond-time"] is not None
        assert (await invites(world))["email"]["status"] == "created"


@pytest.mark.parametrize(
    ("reported", "known", "events"),
    [
        (["created"], "created", 0),
        (["delivered", "sent"], "delivered", 1),
        (["delivered", "delivered"], "delivered", 1),
        (["responded", "delivered"], "responded", 1),
        (["sent", "failed"], "failed", 2),
        (["failed", "sent", "delivered", "responded", "failed"], "failed", 1),
        (["delivered", "failed"], "delivered", 1),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else str(value),
)
async def test_a_report_counts_only_in_order(database_url: str, reported: list[str], known: str, events: int) -> None:
    async with a_world(database_url) as world:
        made = (await ask(world, world.system, await world.organization(), **BOTH))["last-invite"]["sms"]
        head = await world.identity.store.save()
        for status in reported:
            assert (await report(world, world.service, made["id"], status)).status_code == 201
        assert await world.identity.store.save() == head + events
        assert (await invites(world))["sms"]["status"] == known


async def test_a_failure_shows_its_error_and_stores_it_encrypted(database_url: str) -> None:
    async with a_world(database_url) as world:
        made = (await ask(world, world.system, await world.organization(), **BOTH))["last-invite"]["sms"]
        error = "+12125550123 is not a mobile number"
        assert (await report(world, world.service, made["id"], "failed", error=error)).status_code == 201
        assert (await invites(world))["sms"]["error"] == error
        async with world.pool.connection() as connection:
            cursor = await connection.execute("SELECT convert_from(state, 'UTF8') FROM events")
            assert not any("not a mobile" in row[0] for row in await cursor.fetchall())


async def test_only_services_report(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        made = (await ask(world, world.system, north, **BOTH))["last-invite"]["sms"]
        for by in (world.system, await world.admin(north), await world.patient(north)):
            for message_id in (made["id"], str(uuid4())):
                (error,) = (await report(world, by, message_id, "sent")).json()["errors"]
                assert (error["status"], error["code"]) == (403, "forbidden")


async def test_an_unknown_message_is_not_found(database_url: str) -> None:
    async with a_world(database_url) as world:
        (error,) = (await report(world, world.service, str(uuid4()), "sent")).json()["errors"]
        assert (error["status"], error["code"], error["source"]) == (404, "not-found", {"parameter": "id"})


@pytest.mark.parametrize(
    ("attributes", "code", "pointer"),
    [
        ({}, "missing-attribute", "/data/attributes/status"),
        ({"status": "lost"}, "invalid-attribute", "/data/attributes/status"),
        ({"status": "failed", "error": "x" * 1001}, "invalid-attribute", "/data/attributes/error"),
    ],
    ids=["none", "unknown", "too long"],
)
async def test_wrong_reports_are_refused(
    database_url: str, attributes: dict[str, Any], code: str, pointer: str
) -> None:
    async with a_world(database_url, projecting=False) as world:
        data = {"type": "onboarding-texts", "attributes": attributes}
        path = f"/v1/onboarding-texts/{uuid4()}/update-status/"
        answer = await world.client.post(path, json={"data": data}, headers=world.service.bearer)
        (error,) = answer.json()["errors"]
        assert (error["status"], error["code"], error["source"]) == (400, code, {"pointer": pointer})


async def test_a_report_is_of_texts(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        message_id = str(uuid4())
        data = {"type": "texts", "id": str(uuid4()), "attributes": {"status": "sent"}}
        answer = await world.client.post(
            f"/v1/onboarding-texts/{message_id}/update-status/", json={"data": data}, headers=world.service.bearer
        )
        assert answer.status_code == 409


async def registration_invite(world: World, user_id: UUID) -> str:
    return str((await world.get(f"/v1/users/{user_id}/", world.system))["data"]["attributes"]["registration-invite"])


async def test_the_users_invitation_has_failed_when_every_channel_has(database_url: str) -> None:
    async with a_world(database_url) as world:
        made = (await ask(world, world.system, await world.organization(), **BOTH))["last-invite"]
        user_id = (await the_request(world)).user_id
        assert await registration_invite(world, user_id) == "none"
        await report(world, world.service, made["email"]["id"], "failed")
        assert await registration_invite(world, user_id) == "none"
        await report(world, world.service, made["sms"]["id"], "failed")
        assert await registration_invite(world, user_id) == "failed"


async def test_the_users_invitation_is_sent_while_one_channel_stands(database_url: str) -> None:
    async with a_world(database_url) as world:
        made = (await ask(world, world.system, await world.organization(), **BOTH))["last-invite"]
        user_id = (await the_request(world)).user_id
        await report(world, world.service, made["sms"]["id"], "delivered")
        await report(world, world.service, made["email"]["id"], "failed")
        assert await registration_invite(world, user_id) == "sent"


@pytest.mark.slow
async def test_a_message_that_was_reported_is_not_sent_again(database_url: str, tmp_path: Path) -> None:
    """The report arrives although the worker crashed before it recorded that it had sent the message."""
    async with a_world(database_url, outbox=tmp_path, projecting=False) as world:
        made = (await ask(world, world.system, await world.organization(), **BOTH))["last-invite"]
        await report(world, world.service, made["sms"]["id"], "delivered")
        await world.catch_up()
        assert [message["kind"] for message in sent(tmp_path)] == ["email"]
