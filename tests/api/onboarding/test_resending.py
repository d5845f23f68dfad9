"""An invited person asks for the invitation again (rulings K1, K9, K20, K94 and K147)."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.onboarding.test_claims import refusal, the_request
from tests.api.onboarding.test_invitations import sent
from tests.api.onboarding.test_reading import created
from tests.api.onboarding.test_requests import AT_ONCE
from tests.support.timing import take_as_long
from tests.support.world.product import Person, World, a_world

pytestmark = pytest.mark.slow

RESEND = "/v1/resend-invitation/"
ANN = {"patient-email": "ann@people.test", "phone-number": "+12125550123", "username": "ann.b"}


async def ask_again(world: World, by: Person | None = None, /, **asked: Any) -> httpx2.Response:
    body = {name.replace("_", "-"): value for name, value in asked.items()}
    return await world.client.post(RESEND, json=body, headers={} if by is None else by.bearer)


async def kinds(world: World, outbox: Path) -> list[tuple[str, str]]:
    """The messages so far, which are then forgotten."""
    await world.catch_up()
    return taken(outbox)


def taken(outbox: Path) -> list[tuple[str, str]]:
    messages = sorted((message["kind"], message["to"]) for message in sent(outbox))
    for file in outbox.glob("*.json"):
        file.unlink()
    return messages


BY_MAIL, BY_TEXT = ("email", "ann@people.test"), ("sms", "+12125550123")


async def test_any_name_of_the_person_sends_the_invitation_again(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path) as world:
        await created(world, world.system, await world.organization(), **ANN, notifications=["email"])
        assert await kinds(world, tmp_path) == [BY_MAIL]
        for asked in (
            {"username": "ANN@people.test"}, {"email": "ann@people.test"}, {"username": "+1 (212) 555-0123"},
            {"username": "Ann.B"},
        ):  # fmt: skip
            answer = await ask_again(world, **asked)
            assert answer.status_code == 201, answer.text
            assert answer.headers["content-type"] == "application/vnd.api+json"
            assert await kinds(world, tmp_path) == [BY_MAIL], asked


@pytest.mark.parametrize(
    ("requested", "asked", "messages"),
    [
        (["sms"], {}, [BY_TEXT]),
        ([], {}, [BY_MAIL, BY_TEXT]),
        (None, {}, [BY_MAIL]),
        (["email"], {"notifications": ["sms"]}, [BY_TEXT]),
        (["email"], {"notifications": []}, [BY_MAIL, BY_TEXT]),
    ],
    ids=["of the request", "none of the request", "left to the service", "asked for", "none asked for"],
)
async def test_the_channels_are_those_asked_for_or_of_the_request(
    database_url: str, tmp_path: Path, requested: Any, asked: Any, messages: list[tuple[str, str]]
) -> None:
    async with a_world(database_url, outbox=tmp_path) as world:
        given: dict[str, Any] = {**ANN, "organization": str(await world.organization())}
        if requested is not None:
            given["notifications"] = requested
        body = {"data": {"type": "onboarding-requests", "attributes": given}}
        await world.post("/v1/onboarding-requests/", body, world.system)
        await kinds(world, tmp_path)
        assert (await ask_again(world, username="ann@people.test", **asked)).status_code == 201
        assert await kinds(world, tmp_path) == messages


async def test_channels_that_do_not_fit_are_replaced_by_every_contact(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path) as world:
        await created(world, world.system, await world.organization(), **{"patient-email": "ann@people.test"})
        assert (await ask_again(world, username="ann@people.test", notifications=["sms"])).status_code == 201
        assert await kinds(world, tmp_path) == [BY_MAIL]


async def test_the_last_open_request_is_meant(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path) as world:
        north, south = await world.organization(), await world.organization()
        await created(world, world.system, north, **ANN)
        await created(world, world.system, south, **{"patient-email": "ann@people.test"})
        assert (await ask_again(world, username="ann@people.test")).status_code == 201
        await world.catch_up()
        assert [message["organization-id"] for message in sent(tmp_path)] == [str(south)]


async def test_claimed_requests_and_inactive_organizations_send_nothing(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path) as world:
        north = await world.organization()
        await created(world, world.system, north, **AT_ONCE, **{"patient-email": "bob@people.test"})
        await created(world, world.system, north, **ANN)
        switched = {"type": "organizations", "id": str(north), "attributes": {"is-active": False}}
        await world.patch(f"/v1/organizations/{north}/", {"data": switched}, world.system)
        for name in ("bob@people.test", "ann@people.test", "unknown@people.test"):
            assert (await ask_again(world, username=name)).status_code == 201
        assert await kinds(world, tmp_path) == []


async def test_the_answer_is_the_same_for_known_and_unknown_names(database_url: str) -> None:
    """K9 and K94: no position, and an id that is derived from the name and not that of the request."""
    async with a_world(database_url) as world:
        request = await created(world, world.system, await world.organization(), **ANN)
        known, again = [await ask_again(world, username=name) for name in ("ann@people.test", "ANN@people.test")]
        unknown = await ask_again(world, username="unknown@people.test")
        assert known.json() == again.json()
        assert known.json()["signup-request-id"] != request["id"]
        for answer in (known, unknown):
            assert set(answer.json()) == {"signup-request-id", "signup-request-type"}
            assert answer.json()["signup-request-type"] == "onboard"
            assert len(answer.json()["signup-request-id"]) == 32
            assert "x-position" not in answer.headers
        assert sorted(known.headers) == sorted(unknown.headers)
        assert (await ask_again(world, username="unknown@people.test")).json() == unknown.json()


async def test_a_new_address_without_a_token_is_ignored(database_url: str, tmp_path: Path) -> None:
    """K1: who knows the address of a patient does not get the invitation."""
    async with a_world(database_url, outbox=tmp_path, code_requests=0) as world:
        north, south = await world.organization(), await world.organization()
        strangers = [None, await world.patient(north), await world.admin(south)]
        await created(world, world.system, north, **{"patient-email": "ann@people.test"})
        bad = {"Authorization": "Bearer nonsense"}
        body = {"username": "ann@people.test", "new-email": "thief@people.test"}
        answers = [
            await ask_again(world, by, username=body["username"], new_email=body["new-email"]) for by in strangers
        ]
        answers.append(await world.client.post(RESEND, json=body, headers=bad))
        assert {answer.status_code for answer in answers} == {201}
        assert await kinds(world, tmp_path) == [BY_MAIL] * 4
        assert (await the_request(world)).names.revealed[0] == "ann@people.test"


async def test_a_new_address_counts_with_the_token_of_a_provider(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path) as world:
        north = await world.organization()
        provider = await world.provider(north)
        given = {"patient-email": "ann@people.test", "notifications": ["email"]}
        await created(world, world.system, north, **given)
        await kinds(world, tmp_path)
        answer = await ask_again(world, provider, username="ann@people.test", new_email="anna@people.test")
        assert answer.status_code == 201
        assert await kinds(world, tmp_path) == [("email", "anna@people.test")]
        async with world.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT state::text FROM events WHERE topic = 'onboarding-request.readdressed'"
            )
            ((state,),) = await cursor.fetchall()
        assert str(provider.user_id).encode().hex() in state


@pytest.mark.parametrize(
    ("asked", "code", "pointer"),
    [
        ({}, "missing-attribute", "/username"),
        ({"username": "ann", "email": "ann@people.test"}, "invalid-attribute", "/email"),
        ({"email": "nobody"}, "invalid-attribute", "/email"),
        ({"username": "ann", "new-email": "nobody"}, "invalid-attribute", "/new-email"),
        ({"username": "ann", "notifications": ["post"]}, "invalid-attribute", "/notifications/0"),
        ({"username": "a" * 256}, "invalid-attribute", "/username"),
    ],
    ids=["none", "both", "no address", "no new address", "no channel", "too long"],
)
async def test_exactly_one_name_is_needed(database_url: str, asked: dict[str, Any], code: str, pointer: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        answer = await world.client.post(RESEND, json=asked)
        assert refusal(answer) == (400, code, {"pointer": pointer})


async def test_requests_are_counted_by_the_typed_name_known_or_not(database_url: str) -> None:
    """K9 and K20; without Redis half of the limit counts."""
    async with a_world(database_url, code_requests=4) as world:
        await created(world, world.system, await world.organization(), **ANN)
        for names in (("ann@people.test", "ANN@people.test "), ("unknown@people.test", "Unknown@people.test")):
            statuses = [(await ask_again(world, username=names[number % 2])).status_code for number in range(3)]
            assert statuses == [201, 201, 429]
        answer = await ask_again(world, username="ann@people.test")
        assert 0 < int(answer.headers["retry-after"]) <= 3600
        assert (await ask_again(world, username="ann.b")).status_code == 201


async def test_requests_are_counted_by_address(database_url: str) -> None:
    async with a_world(database_url, code_requests_address=6) as world:
        statuses = [(await ask_again(world, username=f"name-{number}")).status_code for number in range(4)]
        assert statuses == [201, 201, 201, 429]


async def test_the_time_does_not_tell_whether_a_name_is_known(database_url: str) -> None:
    async with a_world(database_url, code_requests=0, code_requests_address=0) as world:
        await created(world, world.system, await world.organization(), **ANN)
        known, unknown = "ann@people.test", "unknown@people.test"
        assert await take_as_long(lambda: ask_again(world, username=known), lambda: ask_again(world, username=unknown))
