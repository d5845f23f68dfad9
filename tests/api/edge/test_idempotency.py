"""A retried POST is carried out once (semantics 0.8, ruling A6)."""

import asyncio
from typing import Any, Literal
from uuid import UUID, uuid4

import psycopg
import pytest
from starlette.responses import Response

from adapters.log.idempotency_store import IdempotencyStore
from api.documents.common import Attributes, Single, Strict
from api.documents.fields import Name
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, PathId, ReadingDep
from api.edge.envelope import answer
from api.edge.execution import Outcome
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from domain.core.errors import InvalidState, LostRace
from domain.core.ports import AccessQuery, retry_on_conflict
from domain.core.principal import Principal
from domain.groups.groups import Group
from tests.support.edge import Edge, an_edge
from tests.support.logins import application_dsn
from tests.support.stores import MASTER_KEY

router = contract_router("things")


class NewThing(Strict):
    name: Name


class Thing(Attributes):
    id: UUID
    name: str
    type: Literal["things"] = "things"


class ThingDocument(Single[Thing]):
    pass


class World:
    """What the endpoints below use and tell; made anew for each test."""

    edge: Edge
    calls = 0
    races = 0
    broken: Exception | None = None
    going: asyncio.Event
    entered: asyncio.Event


async def require_writable(principal: Principal, thing_id: UUID) -> None:
    """As commands begin."""
    permissions = World.edge.services.identity.permissions
    await permissions.require(principal, AccessQuery("group", thing_id, "write"))


@retry_on_conflict
async def make_below(principal: Principal, thing_id: UUID, name: str) -> tuple[UUID, int]:
    await require_writable(principal, thing_id)
    return await make(name)


@retry_on_conflict
async def make(name: str) -> tuple[UUID, int]:
    World.calls += 1
    group = Group.create(uuid4(), ORGANIZATION, name, node_type="group", type="regular", tags=[])
    if World.races:
        World.races -= 1
        raise LostRace
    return group.id, await World.edge.store.save(group, result=group.id)


ORGANIZATION = uuid4()


async def shown(reading: ReadingDep, outcome: Outcome, name: str) -> Response:

    async def respond(read: Read) -> Response:
        if World.broken is not None:
            raise World.broken
        return read.single(ThingDocument, Thing(id=outcome.made, name=name), outcome.status)

    return await reading.read_after(outcome, (), respond)


@router.post("/v1/things/", **answers(ThingDocument, 201))
async def create(body: NewThing, principal: Authenticated, execute: ExecuteDep, reading: ReadingDep) -> Response:
    return await shown(reading, await execute(make(body.name)), body.name)


@router.post("/v1/others/", **answers(ThingDocument, 201))
async def create_another(
    body: NewThing, principal: Authenticated, execute: ExecuteDep, reading: ReadingDep
) -> Response:
    return await shown(reading, await execute(make(body.name)), body.name)


@router.post("/v1/things/{id}/nothing/", **answers(None, 201))
async def nothing(thing_id: PathId, principal: Authenticated, execute: ExecuteDep) -> Response:
    async def decide() -> int:
        await require_writable(principal, thing_id)
        World.calls += 1
        return await World.edge.store.save()

    return answer(None, 201, position=(await execute(decide())).position)


@router.post("/v1/things/{id}/keep/", **answers(ThingDocument, 201))
async def keep(thing_id: PathId, principal: Authenticated, execute: ExecuteDep, reading: ReadingDep) -> Response:
    async def decide() -> int:
        await require_writable(principal, thing_id)
        World.calls += 1
        return await World.edge.store.save()

    return await shown(reading, await execute(decide(), about=thing_id), "kept")


@router.post("/v1/things/{id}/part/", **answers(ThingDocument, 201))
async def create_part(thing_id: PathId, principal: Authenticated, execute: ExecuteDep, reading: ReadingDep) -> Response:
    return await shown(reading, await execute(make_below(principal, thing_id, "part")), "part")


@router.patch("/v1/things/{id}/", **answers(ThingDocument))
async def change(thing_id: PathId, principal: Authenticated, execute: ExecuteDep, reading: ReadingDep) -> Response:
    return await shown(reading, await execute(make_below(principal, thing_id, "changed")), "changed")


@router.post("/v1/refusals/", **answers(None, 201))
async def refuse(principal: Authenticated) -> Response:
    World.calls += 1
    raise InvalidState


@router.post("/v1/slow/", **answers(None, 201))
async def slow(principal: Authenticated, execute: ExecuteDep) -> Response:
    async def decide() -> int:
        World.calls += 1
        World.entered.set()
        await World.going.wait()
        return await World.edge.store.save()

    return answer(None, 201, position=(await execute(decide())).position)


@router.post("/v1/secrets/", **answers(None, 201, secret=True))
async def secret(principal: Authenticated) -> Response:
    World.calls += 1
    return answer(World.calls, 201)


@router.post("/v1/questions/", **answers(None, 201, reads=True))
async def question(principal: Authenticated) -> Response:
    World.calls += 1
    return answer(World.calls, 201)


@pytest.fixture(autouse=True)
def fresh_world() -> None:
    World.calls = World.races = 0
    World.broken = None


async def post(edge: Edge, path: str, person: Any, key: str | bytes | None, json: Any = None) -> Any:
    headers: Any = person.bearer | ({} if key is None else {"Idempotency-Key": key})
    return await edge.client.post(path, headers=headers, **({} if json is None else {"json": json}))


def told(response: Any) -> tuple[int, bytes, str | None]:
    return response.status_code, response.content, response.headers.get("X-Position")


async def test_a_retry_is_answered_like_the_first_call(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann = World.edge, World.edge.person()
        first = await post(edge, "/v1/things/", ann, "k", {"name": "a"})
        again = await post(edge, "/v1/things/", ann, "k", {"name": "a"})
        assert told(first)[0] == 201
        assert told(again) == told(first)
        assert again.headers["Content-Type"] == first.headers["Content-Type"]
        assert (World.calls, await edge.store.head()) == (1, 1)


async def test_keys_are_a_users_own(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge = World.edge
        answers_ = [await post(edge, "/v1/things/", edge.person(), "k", {"name": "a"}) for _ in range(2)]
        assert answers_[0].json()["data"]["id"] != answers_[1].json()["data"]["id"]
        assert await edge.store.head() == 2


async def test_a_key_belongs_to_one_request(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann = World.edge, World.edge.person()
        await post(edge, "/v1/things/", ann, "k", {"name": "a"})
        for path, body in [("/v1/things/", {"name": "b"}), ("/v1/others/", {"name": "a"})]:
            response = await post(edge, path, ann, "k", body)
            assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "conflict")
            assert "Retry-After" not in response.headers
        assert await edge.store.head() == 1


@pytest.mark.parametrize("key", ["", "a b", "a" * 256, "ä".encode()])
async def test_odd_keys_are_refused(database_url: str, key: Any) -> None:
    async with an_edge(database_url, router) as World.edge:
        response = await post(World.edge, "/v1/things/", World.edge.person(), key, {"name": "a"})
        assert response.status_code == 400
        assert response.json()["errors"][0]["source"] == {"parameter": "Idempotency-Key"}


async def test_a_second_call_during_the_first_is_asked_to_wait(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann = World.edge, World.edge.person()
        World.going, World.entered = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(post(edge, "/v1/slow/", ann, "k"))
        await World.entered.wait()
        second = await post(edge, "/v1/slow/", ann, "k")
        assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
        other_process = IdempotencyStore(edge.services.pool, application_dsn(database_url), MASTER_KEY)
        async with other_process, other_process.running(other_process.slot(ann.user_id, "k")) as alone:
            assert not alone
        World.going.set()
        assert (await first).status_code == 201
        assert (await post(edge, "/v1/slow/", ann, "k")).status_code == 201
        assert World.calls == 1


async def test_calls_of_different_users_with_one_key_do_not_wait(database_url: str) -> None:
    async with an_edge(database_url) as edge:
        book = edge.services.answers
        mine, theirs = book.slot(uuid4(), "key"), book.slot(uuid4(), "key")
        async with book.running(mine) as first, book.running(theirs) as second, book.running(mine) as third:
            assert (first, second, third) == (True, True, False)


async def test_a_lock_ends_with_the_process_that_took_it(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann = World.edge, World.edge.person()
        slot = edge.services.answers.slot(ann.user_id, "k")
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as dying:
            await dying.execute("SELECT pg_advisory_lock(%s)", [slot.lock])
            assert (await post(edge, "/v1/things/", ann, "k", {"name": "a"})).status_code == 409
        for _ in range(100):  # the server notices in its own time
            if (await post(edge, "/v1/things/", ann, "k", {"name": "a"})).status_code == 201:
                break
            await asyncio.sleep(0.01)
        assert (await post(edge, "/v1/things/", ann, "k", {"name": "a"})).status_code == 201


async def test_a_lost_connection_of_the_locks_is_made_again(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann = World.edge, World.edge.person()
        assert (await post(edge, "/v1/things/", ann, "k", {"name": "a"})).status_code == 201
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'rollbook-idempotency' AND datname = current_database()"
            )
        assert (await post(edge, "/v1/things/", ann, "l", {"name": "a"})).status_code == 201


async def test_refusals_are_decided_anew(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        ann = World.edge.person()
        for calls in (1, 2):
            assert (await post(World.edge, "/v1/refusals/", ann, "k")).status_code == 409
            assert World.calls == calls
