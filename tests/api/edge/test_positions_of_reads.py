"""What reads and commands answer about positions, and when they wait."""

import asyncio
import time
from typing import Any

import psycopg
import pytest

from api.edge.positions import MOMENT, POLL
from tests.api.edge.test_positions import (
    COMMAND,
    OWNER,
    READ,
    ThingNotFound,
    get,
    heard,
    project,
    router,
    stand,
    waited_for,
)
from tests.support.edge import an_edge, eventually

SOMETHING = "/v1/things/00000000-0000-4000-8000-000000000001/"


async def test_a_lagging_read_model_does_not_answer_not_found(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        READ.clear()
        await grow(database_url, head=6)
        await project(database_url, things=1)
        await heard(edge)
        reading = asyncio.create_task(get(edge, SOMETHING))
        await waited_for(edge)
        await project(database_url, things=5)
        await asyncio.sleep(0.05)
        assert not reading.done()  # what was there when it was asked may be the last of the log
        await project(database_url, things=6)
        response = await reading
        assert (response.status_code, response.headers["X-Position"], READ) == (200, "6", [1, 6])


async def test_a_current_read_model_answers_not_found(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        await grow(database_url, head=3)
        READ.clear()
        await project(database_url, things=3)
        await heard(edge)
        assert_missing(await get(edge, SOMETHING))
        await project(database_url, things=1)
        edge.services.positions.forget(["things"])
        reading = asyncio.create_task(get(edge, SOMETHING))
        await waited_for(edge)
        await grow(database_url, head=9)  # the log grows on: the answer is about the moment of the question
        await project(database_url, things=3)
        assert_missing(await reading)
        assert READ == [3, 1, 3]


async def test_a_read_with_a_position_answers_not_found_at_it(database_url: str) -> None:
    async with an_edge(database_url, router, position_wait=0.05) as edge:
        await grow(database_url, head=6)
        await project(database_url, things=2)
        assert_missing(await get(edge, SOMETHING, 2))
        assert (await get(edge, SOMETHING)).status_code == 503


async def test_a_command_is_not_repeated_for_a_missing_resource(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        READ.clear()
        await grow(database_url, head=6)
        await project(database_url, things=1)
        assert (await get(edge, f"{SOMETHING}look/", method="POST")).status_code == 404
        assert READ == [1]


def assert_missing(response: Any) -> None:
    (error,) = response.json()["errors"]
    assert (response.status_code, error["detail"]) == (404, ThingNotFound.detail)
    assert error["source"] == {"parameter": "id"}


async def grow(owner: str, *, head: int) -> None:
    """The log, without events."""
    async with await psycopg.AsyncConnection.connect(owner, autocommit=True) as connection:
        await connection.execute("UPDATE log_head SET position = %s WHERE log = 'identity'", [head])


@pytest.mark.parametrize("odd", ["", "-1", "1.0", "x", "+1", "1 2", str(2**63), "٣".encode()])
async def test_odd_positions_are_refused(database_url: str, odd: Any) -> None:
    async with an_edge(database_url, router) as edge:
        headers: Any = edge.person().bearer | {"X-At-Least-Position": odd}
        response = await edge.client.get("/v1/heads/", headers=headers)
        (error,) = response.json()["errors"]
        assert (response.status_code, error["code"]) == (400, "invalid-parameter")
        assert error["source"] == {"parameter": "X-At-Least-Position"}


async def test_a_command_answers_from_where_it_recorded(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        await project(database_url, things=COMMAND + 3)
        for ignored in (None, 1000, "odd"):
            response = await get(edge, "/v1/things/", ignored, "POST")
            assert (response.status_code, response.headers["X-Position"]) == (201, str(COMMAND))
            assert response.json() == {"data": {"rows": 1}, "meta": {"position": COMMAND}}


async def test_a_command_is_answered_while_the_lists_are_behind(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        await project(database_url, things=COMMAND - 1)
        response = await get(edge, "/v1/things/", method="POST")
        assert (response.status_code, response.headers["X-Position"]) == (201, str(COMMAND))
        assert response.json() == {"data": {"rows": 0}, "meta": {"position": COMMAND}}


@pytest.mark.parametrize(
    "stalled",
    [
        "error = 'builtins.ValueError in projections.things.apply'",
        "last_poll_at = now() - interval '6 seconds'",
        "last_poll_at = NULL",
        "position = -20001",
    ],
)
async def test_a_command_does_not_wait_for_a_stalled_read_model(database_url: str, stalled: str) -> None:
    async with (
        an_edge(database_url, router) as edge,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        positions = edge.services.positions
        await stand(owner, things=0, others=9)
        await owner.execute(f"UPDATE projections SET {stalled} WHERE name = 'things'".encode())
        started = time.monotonic()
        assert not await positions.shown(["things", "others"], 9, 20)
        assert time.monotonic() - started < POLL / 2
        # the next ones need not find out
        assert not await asyncio.wait_for(positions.shown(["things"], 9, 20), MOMENT)
        # but a read that wants a position is told when it is not there
        assert not await positions.reached(["things"], 9, 2 * MOMENT)


async def test_a_read_model_that_moves_again_is_waited_for(database_url: str) -> None:
    async with (
        an_edge(database_url, router) as edge,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        positions = edge.services.positions
        await stand(owner, things=0)
        await owner.execute("UPDATE projections SET error = 'ValueError'")
        assert not await positions.shown(["things"], 9, 20)
        await owner.execute("UPDATE projections SET error = NULL")  # nothing tells of it
        await eventually(lambda: not positions.stalled("things"))
        waiting = asyncio.create_task(positions.shown(["things"], 9, 20))
        await waited_for(edge)
        await project(database_url, things=9)
        assert await waiting


async def test_a_read_model_without_new_events_is_not_waited_for(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        assert await asyncio.wait_for(edge.services.positions.shown([], 1000, 20), MOMENT)


async def test_one_request_sees_one_moment(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        OWNER[:] = [database_url]
        await project(database_url, things=1)
        assert (await get(edge, "/v1/snapshots/")).json()["data"] == {"rows": 1}
