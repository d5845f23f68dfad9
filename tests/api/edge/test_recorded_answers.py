"""What a command under an Idempotency-Key answers once it is recorded."""

import asyncio
from base64 import b64encode
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg_pool import PoolTimeout
from starlette.responses import Response

from adapters.log.idempotency_store import IdempotencyStore
from api.edge.deps import ServicesDep
from api.edge.envelope import answer
from api.edge.route import answers
from domain.core.errors import Forbidden, InvalidState, NotFound, Unavailable
from tests.api.edge.test_idempotency import World, fresh_world, post, router, told
from tests.support.edge import an_edge
from tests.support.logins import application_dsn
from tests.support.stores import MASTER_KEY
from tests.support.world.product import a_world

__all__ = ["fresh_world"]  # it resets the counters before each test


@router.post("/v1/anonymous/", **answers(None, 201))
async def anonymous(services: ServicesDep) -> Response:
    World.calls += 1
    return answer(World.calls, 201)


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
