import asyncio

from psycopg import AsyncConnection

from projections.core import replicators
from projections.core.projection import InlineProjection
from tests.support.followers import EventCount, RoleNames, make_tables, save_roles
from tests.support.stores import a_store


async def test_a_follower_keeps_its_row_and_its_place(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await replicators.register(connection, [RoleNames()])
        await connection.execute("UPDATE projections SET position = 7, version = 3")
        await replicators.register(connection, [RoleNames(), EventCount()])
        assert await replicators.progress_of(connection, ["role_names", "event_count"]) == {
            "role_names": replicators.Progress(7, 3),
            "event_count": replicators.Progress(0, 1),
        }


async def test_lag_is_counted_in_events_and_seconds(database_url: str) -> None:
    make_tables(database_url)
    async with (
        a_store(database_url) as store,
        await AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        await save_roles(store, *"abcd")
        await connection.execute("UPDATE events SET recorded_at = now() - notification_id * interval '1 minute'")
        await replicators.register(connection, [RoleNames()])
        await connection.execute("UPDATE projections SET position = 1")
        (row,) = await replicators.replicators(connection)
        assert (row.position, row.head, row.lag_events) == (1, 4, 3)
        assert 120 <= row.lag_seconds < 180
        assert await replicators.replicator(connection, row.id) is not None


async def test_the_log_of_the_sessions_has_a_head_of_its_own(database_url: str) -> None:
    async with (
        a_store(database_url) as store,
        await AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        await save_roles(store, *"abcd")
        await replicators.register(connection, [EventCount()], "sessions")
        (row,) = await replicators.replicators(connection)
        assert (row.head, row.lag_events, row.state) == (0, 0, "stopped")


async def test_a_failure_names_its_position(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await replicators.register(connection, [EventCount()])
        await replicators.record_failure(connection, "event_count", "ValueError in x.py:1", 5, "stream/2")
        (row,) = await replicators.replicators(connection)
        assert (row.state, row.error) == ("failed", "ValueError in x.py:1 at position 5, event stream/2")


async def test_an_inline_projection_of_older_code_asks_for_its_rebuild(database_url: str) -> None:
    class Inline(EventCount, InlineProjection):
        pass

    class Newer(Inline):
        version = 2

    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        for projection, state in ((Inline(), "running"), (Newer(), "failed")):
            await replicators.register(connection, [projection])
            (row,) = await replicators.replicators(connection)
            assert row.state == state
        assert row.error == "built by version 1, the code is version 2: rebuild it"


async def test_processes_that_start_together_agree_on_the_rows(database_url: str) -> None:
    """The table has two unique indexes to meet at; a round in fifty did when only one of them was expected."""
    followers = [type("Named", (EventCount,), {"name": f"count_{number}"})() for number in range(300)]

    async def start(meet: asyncio.Barrier) -> None:
        async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
            for follower in followers:
                await meet.wait()
                await replicators.register(connection, [follower])

    await asyncio.gather(*map(start, [asyncio.Barrier(2)] * 2))
    async with await AsyncConnection.connect(database_url) as connection:
        assert len(await replicators.replicators(connection)) == len(followers)
