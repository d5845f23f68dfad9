"""What an invitation is about, for whoever has its code (rulings K2, K23, K30, K101 and K147)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
import time_machine

from tests.api.onboarding.test_claims import code_of, the_request
from tests.api.onboarding.test_requests import ask
from tests.support.timing import take_as_long
from tests.support.world.product import Person, World, a_world

INFO = "/v1/onboarding-info/"
ANN = {"patient-email": "ann@people.test", "notifications": ["email"]}
NOT_FOUND: tuple[int, str, Any] = (404, "not-found", {})


async def look_up(world: World, by: Person | None = None, /, **asked: Any) -> httpx2.Response:
    body = {"data": {"type": "onboarding-info", "attributes": {n.replace("_", "-"): v for n, v in asked.items()}}}
    return await world.client.post(INFO, json=body, headers={} if by is None else by.bearer)


def refusal(answer: httpx2.Response) -> tuple[int, str, Any]:
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"], error["source"]


async def test_callers_with_the_code_learn_state_and_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic: dict[str, Any] = {"display-name": "North Clinic"}
        north = await world.organization("north", **clinic)
        code = code_of(world, await ask(world, world.system, north, **ANN))
        typed = [code, code.lower().replace("-", ""), code.replace("-", "\u2011").replace("\u2011", "\u00a0", 1)]
        answers = [await look_up(world, code=each) for each in typed]
        for answer in answers:
            assert answer.status_code == 201, answer.text
            data = answer.json()["data"]
            assert data["attributes"] == {
                "onboarding-request": {"done": False, "status": "created"},
                "organization": {"display-name": "North Clinic", "id": str(north)},
            }
            assert data["type"] == "onboarding-info"
        first, second, _ = (answer.json()["data"]["id"] for answer in answers)
        assert first != second
        assert UUID(first).version == 4


async def test_a_bad_token_is_ignored(database_url: str) -> None:
    async with a_world(database_url) as world:
        code = code_of(world, await ask(world, world.system, await world.organization(), **ANN))
        body = {"data": {"type": "onboarding-info", "attributes": {"code": code}}}
        answer = await world.client.post(INFO, json=body, headers={"Authorization": "Bearer nonsense"})
        assert answer.status_code == 201


async def test_a_claimed_request_is_done_and_an_expired_code_is_unknown(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known = await world.patient(north, "ann@people.test")
        code = code_of(world, await ask(world, world.system, south, **ANN))
        assert (await world.client.post("/v1/onboarding-requests/claim/", json={"referral-code": code},
                                        headers=known.bearer)).status_code == 201  # fmt: skip
        found = (await look_up(world, code=code)).json()["data"]["attributes"]
        assert found["onboarding-request"] == {"done": True, "status": "claimed"}
        with time_machine.travel(datetime.now(UTC) + timedelta(days=31)):
            assert refusal(await look_up(world, code=code)) == NOT_FOUND


async def test_only_readers_of_the_organization_find_by_address_or_number(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, provider, patient = await world.people(north, "admin", "provider", "patient")
        stranger = await world.admin(south)
        await ask(world, admin, north, **ANN, **{"phone-number": "+12125550123"})
        for asked in ({"email": "ANN@people.test"}, {"phone_number": "+12125550123"}):
            for by in (admin, provider, world.system, world.service):
                found = await look_up(world, by, **asked)
                assert found.json()["data"]["attributes"]["organization"]["id"] == str(north)
            for other in (None, patient, stranger):
                assert refusal(await look_up(world, other, **asked)) == NOT_FOUND
        for asked in ({"email": "nobody@people.test"}, {"phone_number": "+12125550199"}):
            assert refusal(await look_up(world, admin, **asked)) == NOT_FOUND


async def test_the_newest_request_that_the_caller_may_read_is_found(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin = await world.admin(north)
        await ask(world, admin, north, **ANN)
        await ask(world, world.system, south, **ANN)
        for by, organization in ((admin, north), (world.service, south)):
            found = (await look_up(world, by, email="ann@people.test")).json()["data"]["attributes"]
            assert found["organization"]["id"] == str(organization)


@pytest.mark.parametrize(
    ("asked", "code", "pointer"),
    [
        ({}, "missing-attribute", "code"),
        ({"code": "7" * 19, "email": "ann@people.test"}, "invalid-attribute", "email"),
        ({"email": "ann@people.test", "phone_number": "+12125550123"}, "invalid-attribute", "phone-number"),
        ({"email": "nobody"}, "invalid-attribute", "email"),
        ({"phone_number": "12"}, "invalid-attribute", "phone-number"),
        ({"code": "7" * 21}, "invalid-attribute", "code"),
    ],
    ids=["none", "code and email", "email and phone", "no address", "no number", "too long"],
)
async def test_exactly_one_attribute_is_needed(
    database_url: str, asked: dict[str, Any], code: str, pointer: str
) -> None:
    async with a_world(database_url, projecting=False) as world:
        answer = await look_up(world, **asked)
        assert refusal(answer) == (400, code, {"pointer": f"/data/attributes/{pointer}"})


async def test_misses_are_counted_by_address_and_hits_are_not(database_url: str) -> None:
    """K23; without Redis half of the limit counts. Claims that find nothing count together with them."""
    async with a_world(database_url, lookup_misses_address=6) as world:
        code = code_of(world, await ask(world, world.system, await world.organization(), **ANN))
        for _ in range(4):
            assert (await look_up(world, code=code)).status_code == 201
        assert (await look_up(world, code="0" * 16)).status_code == 404
        assert (await look_up(world, email="ann@people.test")).status_code == 404
        claim = await world.client.post(
            "/v1/onboarding-requests/claim/", json={"referral-code": "0" * 16}, headers=world.system.bearer
        )
        assert claim.status_code == 404
        answer = await look_up(world, code=code)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 900


async def test_a_reader_finds_a_request_at_the_position_of_its_making(database_url: str) -> None:
    """A5 and B4: a POST that only reads honours positions."""
    async with a_world(database_url) as world:
        code = code_of(world, await ask(world, world.system, await world.organization(), **ANN))
        body = {"data": {"type": "onboarding-info", "attributes": {"code": code}}}
        position = await world.identity.store.save()
        answer = await world.client.post(INFO, json=body, headers={"X-At-Least-Position": str(position)})
        assert answer.status_code == 201
        assert int(answer.headers["x-position"]) >= position


@pytest.mark.slow
async def test_the_time_does_not_tell_whether_a_code_is_known(database_url: str) -> None:
    async with a_world(database_url, lookup_misses_address=0) as world:
        code = code_of(world, await ask(world, world.system, await world.organization(), **ANN))
        await world.catch_up()
        assert not (await the_request(world)).done
        assert await take_as_long(lambda: look_up(world, code=code), lambda: look_up(world, code="0" * 16))
