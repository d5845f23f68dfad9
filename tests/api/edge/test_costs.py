"""What a signed user can make the service spend: no body holds the event loop, no password stops logins (ruling O8)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx2
import orjson
import pytest

from adapters.security.passwords import PasswordPool
from tests.api.sessions.test_limits import ANONYMOUS, log_in
from tests.contract.described import Operation, Schema, operations
from tests.contract.values import sample
from tests.support.loop_lag import LoopLag
from tests.support.world.product import ADMIN_EMAIL, Person, World, a_world

pytestmark = pytest.mark.slow

MAX_LAG = 0.1
HARD_TO_JUDGE = "@({[<691!|1!|7l105+" * 3 + "@({[<691!|1!|7"
LARGEST = 8 * 1024 * 1024

HOSTILE: dict[str, bytes] = {
    "a long text": b'{"x":"' + b"a" * (LARGEST - 100) + b'"}',
    "a long text and one escape": b'{"x":"' + b"a" * (LARGEST - 100) + b'","y":"\\u00e9"}',
    "a long text of escapes": b'{"x":"' + b"\\u00e9" * (LARGEST // 6 - 100) + b'"}',
    "many unknown members": orjson.dumps({f"member-{number}": 1 for number in range(99_000)}),
    "many unknown attributes": orjson.dumps({"data": {"attributes": {f"a-{number}": 1 for number in range(99_000)}}}),
    "many unstorable texts": b'{"x":[' + b",".join([b'"\\u0000"'] * 99_000) + b"]}",
    "many numbers that are too large": b'{"x":[' + b",".join([b"9" * 30] * 99_000) + b"]}",
    "many long numbers": b'{"x":[' + b",".join([b"0." + b"9" * 80] * 99_000) + b"]}",
    "depth": b'{"x":' * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_no_hostile_body_holds_the_event_loop(database_url: str, name: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        path = "/v1/individual-groups/{id}/add-members/".replace("{id}", str(uuid4()))
        status, lag = await lag_of(world, path, HOSTILE[name], world.system)
        assert status == 400
        assert lag < MAX_LAG


@pytest.mark.parametrize("kind", ["unknown", "unusual", "invalid"])
async def test_the_largest_body_of_no_operation_holds_the_event_loop(database_url: str, kind: str) -> None:
    async with a_world(database_url, projecting=False, position_wait=0) as world:
        lags = {}
        for operation in operations_with_bodies():
            assert operation.body
            path = operation.path.replace("{id}", str(uuid4()))
            content = orjson.dumps(largest(operation.body, kind))
            status, lag = await lag_of(world, path, content, world.service, method=operation.method)
            assert status != 500, operation.title
            lags[operation.title] = lag
        assert {title: lag for title, lag in lags.items() if lag >= MAX_LAG} == {}


async def test_violations_are_told_up_to_a_hundred(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        path = f"/v1/individual-groups/{uuid4()}/add-individuals/"
        refusal = await world.post(path, {"individual-ids": ["x"] * 10_000}, world.system, 400)
        assert len(refusal["errors"]) == 100


@pytest.mark.parametrize(("addresses", "refused"), [(100, False), (101, True)])
async def test_few_addresses_may_need_more_than_a_look(database_url: str, addresses: int, refused: bool) -> None:
    async with a_world(database_url, projecting=False) as world:
        emails = [f"é{number}@peoplé.test" for number in range(addresses)] + ["ann@people.test"] * 1000
        path = f"/v1/individual-groups/{uuid4()}/add-members/"
        answer = await world.post(path, {"user-emails": emails}, world.system, 400 if refused else 404)
        (error,) = answer["errors"]
        assert error["source"] == ({"pointer": "/user-emails"} if refused else {"parameter": "id"})


def test_each_array_of_a_body_is_bounded() -> None:
    unbounded = [
        (operation.title, name)
        for operation in operations_with_bodies()
        for name, schema in arrays(operation.body or {})
        if "maxItems" not in schema
    ]
    assert unbounded == []


async def test_passwords_of_callers_without_permission_are_not_scored(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        patient = await world.patient(north)
        judged: list[str] = []
        for work in ("rate", "hash"):
            monkeypatch.setattr(PasswordPool, work, noting(judged, getattr(PasswordPool, work)))
        answers, lag = await onboarded_during_a_login(world, north, patient)
        assert {answer.status_code for answer in answers} == {404}
        assert (judged, lag < MAX_LAG) == ([], True)


async def test_scoring_passwords_delays_no_other_request(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        answers, lag = await onboarded_during_a_login(world, north, await world.admin(north))
        assert {answer.status_code for answer in answers} <= {400, 429}
        assert "weak-password" in answers[0].text  # as whatever cannot be judged in the time
        assert lag < MAX_LAG


async def onboarded_during_a_login(
    world: World, organization_id: UUID, by: Person
) -> tuple[list[httpx2.Response], float]:
    """The answers to 12 onboardings with a password that takes seconds to judge; meanwhile a user logs in."""
    attributes = {
        "organization": str(organization_id), "patient-email": "new@people.test", "password": HARD_TO_JUDGE,
        "auto-sign-up": True, "auto-confirm": True,
    }  # fmt: skip
    body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
    onboarding = [
        asyncio.create_task(world.client.post("/v1/onboarding-requests/", json=body, headers=by.bearer))
        for _ in range(12)
    ]
    async with LoopLag() as lag:
        started = time.monotonic()
        assert await log_in(world.client, ADMIN_EMAIL) == 201
        waited = time.monotonic() - started
        answers = await asyncio.gather(*onboarding)
    assert waited < max(1, (time.monotonic() - started) / 2)
    return answers, lag.seconds


def noting(judged: list[str], work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def noted(self: PasswordPool, password: str, *rest: Any) -> Any:
        judged.append(password)
        return await work(self, password, *rest)

    return noted


async def lag_of(world: World, path: str, content: bytes, by: Person, *, method: str = "POST") -> tuple[int, float]:
    """Status, and the longest time that the request held the event loop: the least of three, as other tests run too."""
    headers = {**by.bearer, "Content-Type": "application/json"}
    lags = []
    for _ in range(3):
        async with LoopLag() as lag:
            answer = await world.client.request(method, path, content=content, headers=headers)
        lags.append(lag.seconds)
        if lag.seconds < MAX_LAG:
            break
    return answer.status_code, min(lags)


def operations_with_bodies() -> list[Operation]:
    """Operations that need a session; others accept 16 KiB at most."""
    return [each for each in operations() if each.takes_body and each.body and each.path not in ANONYMOUS]


def largest(schema: Schema, kind: str, name: str = "") -> Any:
    """A value with every member that the schema has, and with as many items as it allows."""
    match schema.get("type"):
        case "object":
            return {each: largest(told, kind, each) for each, told in schema.get("properties", {}).items()}
        case "array":
            return [largest(schema["items"], kind, name) for _ in range(schema["maxItems"])]
    value = sample(schema, name)
    match schema.get("format"):
        case "uuid":
            return str(uuid4()) if kind != "invalid" else "x"
        case "email":
            local = uuid4().hex
            return {"unknown": f"{local}@people.test", "unusual": f"é{local}@peoplé.test", "invalid": "x"}[kind]
    return value


def arrays(schema: Schema, name: str = "") -> Iterator[tuple[str, Schema]]:
    """Every array in it, with its name."""
    if schema.get("type") == "array":
        yield name, schema
        yield from arrays(schema["items"], name)
    for each, told in schema.get("properties", {}).items():
        yield from arrays(told, each)
