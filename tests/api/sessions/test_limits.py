"""What bounds anonymous callers: guessing, logging in, refreshing, service accounts (rulings K29, O12 to O14)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from api.app import routers
from api.edge.route import ContractRoute
from tests.support.world.product import ADMIN_EMAIL, PASSWORD, SERVICE, World, a_world

WRONG = "not-the-password-7"
OWNER, STRANGER = "192.0.2.7", "198.51.100.9"


@asynccontextmanager
async def coming_from(world: World, address: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client at that address."""
    transport = world.client._transport
    assert isinstance(transport, httpx2.ASGITransport)
    elsewhere = httpx2.ASGITransport(transport.app, client=(address, 1))
    async with httpx2.AsyncClient(transport=elsewhere, base_url="http://rollbook.test") as client:
        yield client


async def log_in(client: httpx2.AsyncClient, username: str, password: str = PASSWORD) -> int:
    answer = await client.post("/v1/login/", json={"username": username, "password": password})
    if answer.status_code == 429:
        assert 0 < int(answer.headers["retry-after"]) <= 900
        (error,) = answer.json()["errors"]
        assert (error["code"], error["meta"], error["source"]) == ("too-many-requests", {}, {})
    return answer.status_code


@pytest.mark.parametrize("shared", [True, False], ids=["redis", "process"])
async def test_concurrent_guesses_do_not_exceed_the_limit(database_url: str, redis_url: str, shared: bool) -> None:
    redis = redis_url if shared else "redis://127.0.0.1:1/0"
    limits: dict[str, Any] = {"login_failures_address": 10_000, "redis_url": redis}
    async with a_world(database_url, projecting=False, **limits) as world:
        name = f"{uuid4().hex}@people.test"
        statuses = await asyncio.gather(*(log_in(world.client, name, WRONG) for _ in range(200)))
        assert (statuses.count(401), statuses.count(429)) == ((10, 190) if shared else (5, 195))


async def test_no_answer_tells_that_two_names_are_of_one_account(database_url: str) -> None:
    async with a_world(database_url, login_failures=6) as world:
        north = await world.organization()
        contacts = {"patient-email": "ann@people.test", "phone-number": "+16505550100", "username": "Ann.B"}
        given = {"organization": str(north), "onboard-type": "patient", "notifications": [], "password": PASSWORD}
        attributes = {**given, **contacts, "auto-sign-up": True, "auto-confirm": True}
        body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
        await world.post("/v1/onboarding-requests/", body, world.system)
        assert [await log_in(world.client, "ann@people.test", WRONG) for _ in range(4)] == [401, 401, 401, 429]
        assert [await log_in(world.client, "ann.b", WRONG) for _ in range(4)] == [401, 401, 401, 429]
        assert await log_in(world.client, "ANN@people.test ") == 429
        assert await log_in(world.client, "+1 (650) 555-0100") == 201
        assert await log_in(world.client, "ann@people.test") == 429


async def test_a_guesser_locks_out_their_address_and_not_the_owner(database_url: str, redis_url: str) -> None:
    async with a_world(database_url, projecting=False, login_failures=3, redis_url=redis_url) as world:
        name = ADMIN_EMAIL
        async with coming_from(world, OWNER) as owner, coming_from(world, STRANGER) as stranger:
            assert await log_in(owner, name) == 201
            assert [await log_in(stranger, name, WRONG) for _ in range(4)] == [401, 401, 401, 429]
            assert await log_in(stranger, name) == 429
            assert await log_in(owner, name) == 201
            assert [await log_in(owner, name, WRONG) for _ in range(4)] == [401, 401, 401, 429]


async def test_ipv6_addresses_of_one_network_share_a_limit(database_url: str) -> None:
    async with a_world(database_url, projecting=False, login_failures_address=4) as world:
        statuses = []
        for number in range(3):
            async with coming_from(world, f"2001:db8:1:2::{number}") as client:
                statuses.append(await log_in(client, f"nobody-{number}@people.test", WRONG))
        assert statuses == [401, 401, 429]
        async with coming_from(world, "2001:db8:1:3::1") as neighbour:
            assert await log_in(neighbour, "nobody@people.test", WRONG) == 401


async def test_logins_of_one_address_are_bounded_and_failures_are_no_logins(database_url: str) -> None:
    async with a_world(database_url, projecting=False, logins_address=6) as world:
        statuses = [await log_in(world.client, ADMIN_EMAIL, password) for password in (WRONG, PASSWORD) * 3]
        assert statuses == [401, 201] * 3
        assert await log_in(world.client, ADMIN_EMAIL) == 429
        async with coming_from(world, STRANGER) as elsewhere:
            assert await log_in(elsewhere, ADMIN_EMAIL) == 201


async def test_a_limit_of_zero_is_off(database_url: str) -> None:
    limits = {"login_failures": 0, "login_failures_address": 0, "logins_address": 0}
    async with a_world(database_url, projecting=False, **limits) as world:
        assert {await log_in(world.client, ADMIN_EMAIL, WRONG) for _ in range(60)} == {401}


async def test_refreshes_of_a_session_are_limited_per_minute(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        sessions = [
            (await world.client.post("/v1/login/", json={"username": ADMIN_EMAIL, "password": PASSWORD})).json()
            for _ in range(2)
        ]
        first, second = (each["refresh-token"] for each in sessions)
        assert [await refresh(world, f"{first}x") for _ in range(16)] == [401] * 15 + [429]
        assert [await refresh(world, first) for _ in range(16)] == [201] * 15 + [429]
        assert await refresh(world, second) == 201


async def refresh(world: World, token: str) -> int:
    return (await world.client.post("/v1/refresh-token/", json={"refresh-token": token})).status_code


ANONYMOUS: dict[str, dict[str, Any]] = {
    "/v1/login/": {"username": "nobody@people.test", "password": WRONG},
    "/v1/refresh-token/": {"refresh-token": f"{'0' * 32}.x"},
    "/v1/internal-auth/": {"namespace": "apps", "sa-name": "records", "sa-token-sha512": "0" * 128},
    "/v2/internal-auth/": {"data": {"type": "internal-auths", "attributes": {"token": "wrong"}}},
}
"""Return a wrong request for each operation without a session, except for static documents."""


PUBLIC = {
    "/.well-known/jwks.json", "/.well-known/openid-configuration", "/service-documents/{id}/",
    "/v1/anonymous-accesses/{id}/proxy/", "/v1/service-documents/", "/v1/service-documents/{id}/",
    "/v1/confirm-forgot-password/", "/v1/confirm-sign-up/", "/v1/forgot-password/", "/v1/onboarding-info/",
    "/v1/organization-code-info/{id}/", "/v1/password-strength/", "/v1/resend-confirmation/", "/v1/resend-invitation/",
    "/v1/sign-up/",
}  # fmt: skip
"""Static documents, and what has tests of its own that prove its limit."""


def test_the_list_of_anonymous_operations_is_whole() -> None:
    routes = [route for router in routers() for route in router.routes if isinstance(route, ContractRoute)]
    assert {route.path for route in routes if route.anonymous} == {*ANONYMOUS, *PUBLIC}


@pytest.mark.parametrize("path", ANONYMOUS)
async def test_each_anonymous_operation_has_a_limit(database_url: str, path: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        answers = [await world.client.post(path, json=ANONYMOUS[path]) for _ in range(31)]
        judged = [answer for answer in answers if answer.status_code == 401]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert answers == judged + refused
        assert refused
        assert all(0 < int(answer.headers["retry-after"]) <= 900 for answer in refused)


async def test_a_service_account_that_proves_itself_is_never_refused(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        right = {"data": {"type": "internal-auths", "attributes": {"token": SERVICE[2]}}}
        wrong = ANONYMOUS["/v2/internal-auth/"]
        answers = [await world.client.post("/v2/internal-auth/", json=body) for body in (right, wrong) * 9]
        assert [answer.status_code for answer in answers] == [201, 401] * 9
