"""What an operator sees of attacks: lines without personal values, and figures (ruling O23)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog

from adapters.security_log import SecurityEvent
from tests.api.sessions.test_limits import ANONYMOUS, WRONG, coming_from, log_in
from tests.support.world.product import ADMIN_EMAIL, PASSWORD, Person, World, a_world

ADDRESS = "198.51.100.9"
FIGURE = re.compile(r'^rollbook_security_events_total\{event="([a-z-]+)"\} ([0-9.]+)$', re.MULTILINE)


@contextmanager
def security_log() -> Iterator[list[dict[str, Any]]]:
    """Its lines, once the block has ended: each without what every line has."""
    told: list[dict[str, Any]] = []
    with structlog.testing.capture_logs() as lines:
        yield told
    for line in lines:
        if line.pop("log", "") == "security":
            assert line.pop("log_level") == "warning"
            told.append(dict(line))


async def counted(world: World, event: SecurityEvent) -> float:
    figures = dict(FIGURE.findall((await world.client.get("/metrics")).text))
    return float(figures.get(event, 0))


async def test_failed_logins_are_logged_with_keyed_hash_and_address(database_url: str) -> None:
    async with a_world(database_url, projecting=False, metrics=True, login_failures=4) as world:
        failed, locked = await counted(world, "login-failed"), await counted(world, "login-locked")
        async with coming_from(world, ADDRESS) as client:
            with security_log() as lines:
                names = (ADMIN_EMAIL, ADMIN_EMAIL.upper(), "nobody@people.test", ADMIN_EMAIL)
                assert [await log_in(client, name, WRONG) for name in names] == [401, 401, 401, 429]
        assert [line["event"] for line in lines] == ["login-failed"] * 3 + ["login-locked"]
        assert {line["address"] for line in lines} == {ADDRESS}
        assert len({line["name"] for line in lines}) == 2
        assert lines[0]["name"] == lines[1]["name"] == lines[3]["name"]
        assert all(re.fullmatch("[0-9a-f]{64}", line["name"]) for line in lines)
        assert (await counted(world, "login-failed"), await counted(world, "login-locked")) == (failed + 3, locked + 1)


async def test_a_right_login_is_not_in_it(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        with security_log() as lines:
            assert await log_in(world.client, ADMIN_EMAIL) == 201
        assert lines == []


async def test_refused_tokens_are_logged_with_the_reason(database_url: str) -> None:
    async with a_world(database_url, projecting=False, metrics=True) as world:
        before = await counted(world, "token-refused")
        person = world.system
        session_id = session_of(world, person)
        expired = world.tokens.access_token(person.user_id, session_id, None, datetime.now(UTC) - timedelta(hours=1))
        stranger = world.tokens.access_token(uuid4(), session_id, None, datetime.now(UTC) + timedelta(hours=1))
        with security_log() as lines:
            for token in ("no token", expired, stranger):
                await world.get("/v1/organizations/", Person(uuid4(), None, "", bearer(token)), 401)
            await world.client.delete(f"/v1/sessions/{session_id}/", headers=person.bearer)
            await world.get("/v1/organizations/", person, 401)
            await world.get("/v1/organizations/", Person(uuid4(), None, "", {}), 401)
        reasons = [line["reason"] for line in lines if line["event"] == "token-refused"]
        assert reasons == ["not-authenticated", "token-expired", "not-authenticated", "session-revoked"]
        revoked = {"event": "session-revoked", "session": str(session_id), "user": str(person.user_id)}
        assert revoked in lines
        assert await counted(world, "token-refused") == before + 4


async def test_refused_permissions_are_logged_with_user_and_operation(database_url: str) -> None:
    async with a_world(database_url, metrics=True) as world:
        before = await counted(world, "permission-refused")
        north = await world.organization()
        provider = await world.provider(north)
        with security_log() as lines:
            change = {"type": "organizations", "id": str(north), "attributes": {"display-name": "X"}}
            await world.patch(f"/v1/organizations/{north}/", {"data": change}, provider, 403)
            await world.get("/v1/replicators/", provider, 403)
            await world.get(f"/v1/organizations/{uuid4()}/", provider, 404)
        told = {"event": "permission-refused", "user": str(provider.user_id)}
        assert lines == [
            {**told, "operation": "PATCH /v1/organizations/{id}/"},
            {**told, "operation": "GET /v1/replicators/"},
        ]
        assert await counted(world, "permission-refused") == before + 2


async def test_each_request_of_an_impersonator_is_logged(database_url: str) -> None:
    async with a_world(database_url, projecting=False, metrics=True) as world:
        before = await counted(world, "impersonation-used")
        person = await world.provider(await world.organization())
        acting = await world.borrowed(person, "impersonated")
        with security_log() as lines:
            await world.post("/v1/authenticate/", {}, acting)
        (line,) = lines
        assert line == {
            "event": "impersonation-used", "user": str(person.user_id), "impersonator": str(world.system.user_id),
            "operation": "POST /v1/authenticate/",
        }  # fmt: skip
        assert await counted(world, "impersonation-used") == before + 1


@pytest.mark.parametrize("path", ["/v1/internal-auth/", "/v2/internal-auth/"])
async def test_refused_service_accounts_are_logged(database_url: str, path: str) -> None:
    async with a_world(database_url, projecting=False, metrics=True) as world:
        before = await counted(world, "service-account-refused")
        async with coming_from(world, ADDRESS) as client:
            with security_log() as lines:
                assert (await client.post(path, json=ANONYMOUS[path])).status_code == 401
        assert lines == [{"event": "service-account-refused", "address": ADDRESS}]
        assert await counted(world, "service-account-refused") == before + 1


async def test_known_addresses_are_revealed_a_limited_number_of_times(database_url: str) -> None:
    async with a_world(database_url, metrics=True, known_addresses=4) as world:
        before = await counted(world, "known-address-named")
        north, south = await world.organization(), await world.organization()
        admin, other = await world.admin(north), await world.admin(north)
        known = [(await world.patient(south)).email for _ in range(3)]
        with security_log() as lines:
            assert [await onboard(world, north, email, admin) for email in known] == [201, 201, 429]
            assert await onboard(world, north, "unknown@people.test", admin) == 201
            assert await onboard(world, north, known[2], other) == 201
            assert await onboard(world, south, known[2], world.system) == 201
        assert lines == [{"event": "known-address-named", "user": str(each.user_id)} for each in (admin, admin, other)]
        assert await counted(world, "known-address-named") == before + 3


async def test_a_sign_up_without_confirmation_reveals_no_more_of_them(database_url: str) -> None:
    """Ruling O3: the answer for an unknown address is further, whether or not it was to be confirmed."""
    async with a_world(database_url, known_addresses=2) as world:
        north, south = await world.organization(), await world.organization()
        admin = await world.admin(north)
        known = [(await world.patient(south)).email for _ in range(2)]
        to_register = {"auto-confirm": False}
        assert [await onboard(world, north, email, admin, **to_register) for email in known] == [201, 429]


async def test_a_taken_user_name_tells_nothing_of_the_address(database_url: str) -> None:
    """Ruling A1: known and unknown addresses answer alike, whatever is given beside them."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        await onboard(world, north, "ada@people.test", world.system, username="ada.byron")
        known = (await world.patient(south)).email
        admin = await world.admin(north)
        for email in (known, "unknown@people.test"):
            assert await onboard(world, north, email, admin, username="ada.byron") == 409


async def onboard(world: World, organization_id: UUID, email: str, by: Person, **more: Any) -> int:
    attributes = {
        "organization": str(organization_id), "patient-email": email, "password": PASSWORD, "notifications": [],
        "auto-sign-up": True, "auto-confirm": True, **more,
    }  # fmt: skip
    body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
    return (await world.client.post("/v1/onboarding-requests/", json=body, headers=by.bearer)).status_code


def session_of(world: World, person: Person) -> UUID:
    return world.tokens.verify(person.bearer["Authorization"].removeprefix("Bearer ")).session_id


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
