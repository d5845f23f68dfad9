"""A retried POST is carried out once (semantics 0.8, ruling A6)."""

import asyncio
from base64 import b64encode
from typing import Any, Literal
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import PoolTimeout
from starlette.responses import Response

from adapters.log.idempotency_store import IdempotencyStore
from api.documents.common import Attributes, Single, Strict
from api.documents.fields import Name
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, PathId, ReadingDep, ServicesDep
from api.edge.envelope import answer
from api.edge.execution import Outcome
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from domain.core.errors import Forbidden, InvalidState, LostRace, NotFound, Unavailable
from domain.core.ports import AccessQuery, retry_on_conflict
from domain.core.principal import Principal
from domain.groups.groups import Group
from tests.support.edge import Edge, an_edge
from tests.support.logins import application_dsn
from tests.support.stores import MASTER_KEY
from tests.support.world.product import a_world

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


@router.post("/v1/anonymous/", **answers(None, 201))
async def anonymous(services: ServicesDep) -> Response:
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


async def test_a_command_without_change_is_remembered_with_its_permission(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann, thing_id = World.edge, World.edge.person(), uuid4()
        edge.grants.allow(ann.user_id, thing_id, "read", "write")
        first = await post(edge, f"/v1/things/{thing_id}/nothing/", ann, "k")
        edge.grants.allowed.clear()
        assert told(await post(edge, f"/v1/things/{thing_id}/nothing/", ann, "k")) == told(first) == (201, b"null", "0")
        assert World.calls == 1
        assert (await post(edge, f"/v1/things/{thing_id}/nothing/", ann, "l")).status_code == 404


FAILURES = [
    psycopg.OperationalError("the connection is lost"),
    PoolTimeout("none is free"),
    TimeoutError(),
    RuntimeError("a bug"),
    Unavailable(),
    InvalidState(),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: type(each).__name__)
async def test_a_recorded_command_without_an_answer_is_answered_on_retry(database_url: str, failure: Exception) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann = World.edge, World.edge.person()
        World.races, World.broken = 1, failure
        for _ in range(2):
            first = await post(edge, "/v1/things/", ann, "k", {"name": "a"})
            assert_recorded(first, 1)
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            cursor = await connection.execute("SELECT originator_id FROM events")
            (recorded,) = await cursor.fetchone() or (None,)
        World.broken = None
        second = await post(edge, "/v1/things/", ann, "k", {"name": "a"})
        assert told(second)[::2] == (201, "1")
        assert second.json()["data"]["id"] == str(recorded)
        assert told(await post(edge, "/v1/things/", ann, "k", {"name": "a"})) == told(second)
        assert (World.calls, await edge.store.head()) == (2, 1)


def assert_recorded(response: Any, position: int) -> None:
    (error,) = response.json()["errors"]
    assert (response.status_code, error["code"]) == (503, "read-model-behind")
    assert response.headers["X-Position"] == str(position)
    assert response.headers["Retry-After"] == "1"
    assert error["meta"] == {"position": position}


@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: type(each).__name__)
async def test_without_a_key_the_recorded_position_is_reported_too(database_url: str, failure: Exception) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann, thing_id = World.edge, World.edge.person(), uuid4()
        edge.grants.allow(ann.user_id, thing_id, "read", "write")
        World.broken = failure
        assert_recorded(await post(edge, "/v1/things/", ann, None, {"name": "a"}), 1)
        assert_recorded(await edge.client.patch(f"/v1/things/{thing_id}/", headers=ann.bearer), 2)


async def test_an_unexpected_error_after_a_commit_is_logged(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[Exception] = []
    monkeypatch.setattr("api.edge.execution.log_unhandled", logged.append)
    async with an_edge(database_url, router) as World.edge:
        World.broken = RuntimeError("a bug")
        await post(World.edge, "/v1/things/", World.edge.person(), None, {"name": "a"})
    assert logged == [World.broken]


async def test_a_refusal_before_the_commit_reports_no_position(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        response = await post(World.edge, "/v1/refusals/", World.edge.person(), None)
        assert response.status_code == 409
        assert "X-Position" not in response.headers


async def test_a_retry_without_read_permission_gets_type_and_id(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann, thing_id = World.edge, World.edge.person(), uuid4()
        edge.grants.allow(ann.user_id, thing_id, "read", "write")
        for path, key in ((f"/v1/things/{thing_id}/part/", "k"), (f"/v1/things/{thing_id}/keep/", "l")):
            World.broken = None
            first = await post(edge, path, ann, key)
            for World.broken in (NotFound(), Forbidden()):
                again = await post(edge, path, ann, key)
                assert told(again)[::2] == told(first)[::2]
                position = int(first.headers["X-Position"])
                assert again.json() == {
                    "data": {"type": "things", "id": first.json()["data"]["id"]},
                    "meta": {"position": position},
                }
        assert World.calls == 2


async def test_a_caller_who_lost_the_permission_still_gets_the_answer(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann, thing_id = World.edge, World.edge.person(), uuid4()
        edge.grants.allow(ann.user_id, thing_id, "read", "write")
        path = f"/v1/things/{thing_id}/part/"
        World.broken = RuntimeError()
        assert (await post(edge, path, ann, "k")).status_code == 503
        World.broken = None
        edge.grants.allowed.clear()
        assert (await post(edge, path, ann, "k")).status_code == 201
        assert (await post(edge, path, ann, "l")).status_code == 404
        assert await edge.store.head() == 1


async def test_an_unanswered_command_without_change_is_not_decided_again(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann, thing_id = World.edge, World.edge.person(), uuid4()
        edge.grants.allow(ann.user_id, thing_id, "read", "write")
        World.broken = RuntimeError()
        assert_recorded(await post(edge, f"/v1/things/{thing_id}/keep/", ann, "k"), 0)
        World.broken = None
        answered = await post(edge, f"/v1/things/{thing_id}/keep/", ann, "k")
        assert (answered.status_code, answered.json()["data"]["id"], World.calls) == (201, str(thing_id), 1)


async def test_a_key_is_deleted_after_a_day(database_url: str) -> None:
    async with (
        an_edge(database_url, router) as World.edge,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        edge, ann = World.edge, World.edge.person()
        first = await post(edge, "/v1/things/", ann, "k", {"name": "a"})
        await connection.execute("UPDATE idempotency_keys SET recorded_at = now() - interval '23 hours 59 minutes'")
        assert await edge.services.answers.clean() == 0
        assert (await post(edge, "/v1/things/", ann, "k", {"name": "a"})).json() == first.json()
        await connection.execute("UPDATE idempotency_keys SET recorded_at = now() - interval '24 hours 1 second'")
        async with IdempotencyStore(edge.services.pool, application_dsn(database_url), MASTER_KEY):
            for _ in range(200):
                left = await (await connection.execute("SELECT count(*) FROM idempotency_keys")).fetchone()
                if left == (0,):
                    break
                await asyncio.sleep(0.01)
        assert left == (0,)


async def test_after_a_day_a_key_is_new(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        edge, ann = World.edge, World.edge.person()
        first = await post(edge, "/v1/things/", ann, "k", {"name": "a"})
        await post(edge, "/v1/things/", edge.person(), "k", {"name": "a"})
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute("UPDATE idempotency_keys SET recorded_at = now() - interval '24 hours 1 second'")
        second = await post(edge, "/v1/things/", ann, "k", {"name": "b"})
        assert second.status_code == 201
        assert second.json()["data"]["id"] != first.json()["data"]["id"]
        assert await edge.services.answers.clean() == 1


@pytest.mark.parametrize("path", ["secrets", "questions", "anonymous"])
async def test_some_operations_know_no_keys(database_url: str, path: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        ann = World.edge.person()
        for calls in (1, 2):
            response = await post(World.edge, f"/v1/{path}/", ann, "no good" if calls == 1 else "k")
            assert (response.status_code, response.json()) == (201, calls)


async def test_neither_the_key_nor_the_answer_is_kept(database_url: str) -> None:
    async with an_edge(database_url, router) as World.edge:
        await post(World.edge, "/v1/things/", World.edge.person(), "Client-Key", {"name": "Jane Roe"})
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            cursor = await connection.execute("SELECT record_send(k) FROM idempotency_keys k")
            ((kept,),) = await cursor.fetchall()
        assert b"Jane" not in kept
        assert b"Client-Key" not in kept


async def test_a_retry_after_a_master_key_rotation_gets_the_same_answer(database_url: str) -> None:
    key = {"Idempotency-Key": "once"}
    body = {"data": {"type": "organizations", "attributes": {"name": "clinic"}}}
    async with a_world(database_url) as world:
        first = await world.client.post("/v1/organizations/", json=body, headers=world.system.bearer | key)
        assert first.status_code == 201
        await world.keyring.rotate(bytes(32))
    async with a_world(database_url, master_key=b64encode(bytes(32)).decode()) as world:
        retry = await world.client.post("/v1/organizations/", json=body, headers=world.system.bearer | key)
    assert told(retry) == told(first)
