"""Rebuilding when something fails: what is said, what is left, and who goes on where."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psycopg
import pytest
from psycopg import AsyncConnection

from domain.core.recorded import Recorded
from projections.core import replicators
from projections.core.projection import WriteCursor
from tests.support import followers
from tests.support.stores import a_store
from tests.support.tables import rows_of
from tests.workers.following.test_rebuild import leftovers, looking, rebuilt
from tests.workers.following.test_rebuild_readers import InlineCount
from workers.following import rebuild, table_copies

pytestmark = pytest.mark.slow


async def test_a_killed_rebuild_goes_on_where_it_was(database_url: str) -> None:
    followers.make_tables(database_url)
    async with a_store(database_url) as store, await looking(database_url) as connection:
        await followers.save_roles(store, *(f"role-{number}" for number in range(250)))
        async with followers.a_projector(database_url, followers.EventCount()) as projector:
            await projector.catch_up()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.workers.following.slow_rebuild", database_url,
            env={**os.environ, "PYTHONPATH": "."}, cwd=Path(__file__).parents[3],
        )  # fmt: skip
        await followers.eventually(connection, "SELECT position FROM rebuilds", 100)
        assert (await shown(connection)).state == "rebuilding"
        process.kill()
        await process.wait()
        await connection.execute("UPDATE rebuilds SET alive_at = alive_at - interval '1 minute'")
        row = await shown(connection)
        assert (row.state, row.position, row.rebuilt) == ("stopped", 250, 100)
        said = await rebuilt(database_url, followers.EventCount())
        assert said[0] == "event_count: resumed at position 100"
        assert await rows_of(connection, ["event_count"]) == {"event_count": ["(1,250)"]}


async def shown(connection: AsyncConnection) -> replicators.Replicator:
    await connection.execute("UPDATE projections SET last_poll_at = NULL")
    return (await replicators.replicators(connection))[0]


@pytest.mark.parametrize("other", ["version", "shape", "missing"])
async def test_the_copy_of_another_make_is_thrown_away(database_url: str, other: str) -> None:
    async with three_roles(database_url) as connection:
        async with followers.a_projector(database_url, followers.EventCount()) as projector:
            await projector.catch_up()
        if other != "missing":
            await connection.execute("CREATE TABLE rebuild.event_count (id integer, total bigint, older text)")
        version = followers.EventCount().version - 1 if other == "version" else followers.EventCount().version
        shape = (
            ""
            if other == "shape"
            else (await table_copies.definitions(connection, followers.EventCount().tables)).shape
        )
        await connection.execute("INSERT INTO rebuilds (name, version, shape, phase, position) VALUES"
                                 " ('event_count', %s, %s, 'filling', 2)", (version, shape))  # fmt: skip
        assert len(await rebuilt(database_url, followers.EventCount())) == 1
        assert await rows_of(connection, ["event_count"]) == {"event_count": ["(1,3)"]}


async def test_a_rebuild_repairs_a_failed_projection(database_url: str) -> None:
    followers.make_tables(database_url)
    poisoned = followers.RoleNames()
    async with a_store(database_url) as store, await looking(database_url) as connection:
        await followers.save_roles(store, "a", "poison", "b")
        async with followers.following(database_url, poisoned):
            await followers.eventually(connection, "SELECT error IS NOT NULL FROM projections", True)
            with pytest.raises(rebuild.RebuildRefusedError, match="cannot apply positions 1 to 3: ValueError in tests"):
                await rebuilt(database_url, poisoned)
            poisoned.poisonous = False
            await rebuilt(database_url, followers.RoleNames(poisonous=False))
            await followers.eventually(connection, "SELECT position FROM projections", 3)
            await followers.save_roles(store, "c")
            await followers.eventually(connection, "SELECT array_agg(name ORDER BY position) FROM role_names",
                             ["a", "poison", "b", "c"])  # fmt: skip
            assert (await replicators.replicators(connection))[0].error is None


async def test_a_rebuild_leaves_nothing_of_the_failure_that_it_has_mended(database_url: str) -> None:
    followers.make_tables(database_url)
    failure = "SELECT error, failed_position, failed_event FROM projections"
    async with a_store(database_url) as store, await looking(database_url) as connection:
        await followers.save_roles(store, "a", "poison", "b")
        async with followers.following(database_url, followers.RoleNames()):
            await followers.eventually(connection, "SELECT failed_position FROM projections", 2)
        assert None not in (await (await connection.execute(failure)).fetchone() or (None,))
        await rebuilt(database_url, followers.RoleNames(poisonous=False))
        assert await (await connection.execute(failure)).fetchone() == (None, None, None)


@pytest.mark.parametrize(
    ("projection", "told"),
    [(followers.EventCount(), ["event_count:3"]), (InlineCount(), [])],
    ids=["background", "inline"],
)
async def test_waiting_readers_are_notified_of_the_rebuilt_position(
    database_url: str, projection: followers.EventCount, told: list[str]
) -> None:
    followers.make_tables(database_url)
    inline = [projection] if told == [] else []
    async with a_store(database_url, projections=inline) as store, await looking(database_url) as connection:
        await followers.save_roles(store, *"abc")
        await connection.execute("LISTEN rollbook_projected")
        await rebuilt(database_url, projection)
        assert [each.payload async for each in connection.notifies(timeout=0.5)] == told


@contextlib.asynccontextmanager
async def three_roles(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Three roles in the log, and the tables of the tests' own projections. Yields the owner's connection."""
    followers.make_tables(database_url)
    async with a_store(database_url) as store, await looking(database_url) as connection:
        await followers.save_roles(store, *"abc")
        yield connection


async def test_a_rebuild_drops_tables_retired_by_a_killed_one(database_url: str) -> None:
    async with three_roles(database_url) as connection:
        await connection.execute("CREATE TABLE retired.event_count (id integer)")
        await rebuilt(database_url, followers.EventCount())
        assert await leftovers(connection) == []


async def test_a_rebuild_stops_when_another_process_changed_its_position(database_url: str) -> None:
    followers.make_tables(database_url)
    async with a_store(database_url) as store, await looking(database_url) as connection:
        await followers.save_roles(store, *"abcd")
        rebuilding = asyncio.create_task(rebuilt(database_url, followers.RoleNames(pause=0.5), batch=1))
        await followers.eventually(connection, "SELECT position FROM rebuilds", 1)
        await connection.execute("UPDATE rebuilds SET position = 0")
        with pytest.raises(rebuild.RebuildRefusedError, match=r"^role_names: another process changed"):
            await rebuilding
        assert await rows_of(connection, ["role_names"]) == {"role_names": []}


async def test_an_outage_is_not_reported_as_a_failing_projection(database_url: str) -> None:
    async with three_roles(database_url):
        with pytest.raises(psycopg.OperationalError):
            await rebuilt(database_url, CutOff())


class CutOff(followers.EventCount):
    """Loses its connection."""

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


class Fetching(InlineCount):
    """Fetches rows, which only background projections may."""

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await cursor.fetchone()  # type: ignore[attr-defined]


async def test_the_rebuild_of_an_inline_projection_that_fetches_fails(database_url: str) -> None:
    async with three_roles(database_url):
        with pytest.raises(rebuild.RebuildRefusedError, match="cannot apply positions 1 to 3: AttributeError"):
            await rebuilt(database_url, Fetching())


async def test_a_rebuild_names_the_positions_it_cannot_read(database_url: str) -> None:
    async with three_roles(database_url) as connection:
        await connection.execute("DELETE FROM events WHERE notification_id = 2")
        with pytest.raises(rebuild.RebuildRefusedError, match="event_count cannot apply positions 1 to 3: LogGapError"):
            await rebuilt(database_url, followers.EventCount())


async def test_a_rebuild_has_a_heartbeat_during_long_statements(database_url: str) -> None:
    async with three_roles(database_url) as connection:
        rebuilding = asyncio.create_task(rebuilt(database_url, followers.RoleNames(pause=2), heartbeat=0.05))
        await followers.eventually(connection, BEATS_MEANWHILE, True)
        await rebuilding


async def test_one_rebuild_of_a_projection_at_a_time(database_url: str) -> None:
    async with three_roles(database_url):
        slow = followers.RoleNames(pause=1)
        first = asyncio.create_task(rebuilt(database_url, slow))
        async with await looking(database_url) as connection:
            await followers.eventually(connection, "SELECT count(*) FROM rebuilds", 1)
            with pytest.raises(rebuild.RebuildRefusedError, match="another process"):
                await rebuilt(database_url, followers.RoleNames())
        await first


async def test_tables_that_cannot_be_copied_are_refused(database_url: str) -> None:
    followers.make_tables(database_url)
    async with await looking(database_url) as connection:
        await connection.execute("CREATE VIEW seen AS SELECT total FROM event_count")
        with pytest.raises(rebuild.RebuildRefusedError, match="table event_count is read by a view"):
            await rebuilt(database_url, followers.EventCount())
        await connection.execute("DROP VIEW seen; DROP TABLE event_count")
        with pytest.raises(rebuild.RebuildRefusedError, match="table event_count does not exist"):
            await rebuilt(database_url, followers.EventCount())


BEATS_MEANWHILE = """
SELECT alive_at > query_start + interval '0.3 seconds' FROM rebuilds, pg_stat_activity
WHERE datname = current_database() AND wait_event = 'PgSleep'
"""
