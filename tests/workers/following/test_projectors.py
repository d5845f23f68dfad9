"""The projector applies every event once and in order, and reports failures; processes may be killed."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from projections.core import replicators
from projections.core.replicators import Replicator
from tests.support.followers import (
    Batches,
    EventCount,
    RoleNames,
    a_projector,
    a_worker_process,
    eventually,
    following,
    make_tables,
    save_roles,
    save_roles_together,
)
from tests.support.stores import a_store
from tests.support.world.product import settings_for
from workers.following import projectors
from workers.following.projectors import NotCaughtUpError

pytestmark = pytest.mark.slow


@pytest.fixture
def watched(database_url: str) -> str:
    """A database with the tables of the tests' projections."""
    make_tables(database_url)
    return database_url


async def looking(database_url: str) -> AsyncConnection:
    return await AsyncConnection.connect(database_url, autocommit=True)


async def shown(connection: AsyncConnection, name: str = "role_names") -> Replicator:
    return next(row for row in await replicators.replicators(connection) if row.name == name)


async def test_rows_and_position_arrive_together_and_once(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        async with a_projector(watched, RoleNames(), EventCount()) as projector:
            await save_roles(store, "a", "b", "c")
            await projector.catch_up()
            await projector.catch_up()
        async with a_projector(watched, RoleNames(), EventCount()) as successor:
            await successor.catch_up()
        await eventually(connection, "SELECT array_agg(name ORDER BY position) FROM role_names", ["a", "b", "c"])
        await eventually(connection, "SELECT total FROM event_count", 3)
        assert (await shown(connection)).position == 3


async def test_a_batch_offered_twice_is_applied_once(watched: str) -> None:
    """A zombie that believes it still leads cannot apply again what its successor applied."""
    async with a_store(watched) as store, a_projector(watched, EventCount()) as zombie:
        await zombie.catch_up()
        await save_roles(store, "a", "b")
        async with await looking(watched) as connection:
            await connection.execute(
                "UPDATE projections SET position = 2 WHERE name = 'event_count'; INSERT INTO event_count VALUES (1, 2)"
            )
            await zombie.catch_up()
            await eventually(connection, "SELECT total FROM event_count", 2)


async def test_positions_without_wanted_events_still_advance(watched: str) -> None:
    async with a_store(watched) as store, a_projector(watched, RoleNames()) as projector:
        role_position = await save_roles(store, "a")
        with_others = role_position + 5
        async with await looking(watched) as connection:
            await append_strangers(connection, 5)
            await projector.catch_up()
            assert (await shown(connection)).position == with_others


async def append_strangers(connection: AsyncConnection, count: int, topic: str = "group.tags-changed") -> None:
    """Append events whose state cannot be decoded."""
    await connection.execute(
        "WITH head AS (UPDATE log_head SET position = position + %(n)s WHERE log = 'identity' RETURNING position)"
        " INSERT INTO events (originator_id, originator_version, notification_id, topic, state)"
        " SELECT gen_random_uuid(), 1, position - %(n)s + i, %(topic)s, 'x' FROM head, generate_series(1, %(n)s) i",
        {"n": count, "topic": topic},
    )


async def test_a_failing_event_stops_its_projection_alone_and_in_plain_sight(watched: str) -> None:
    names = [f"role-{number}" for number in range(40)]
    names[23] = "poison"
    poisoned = RoleNames()
    async with (
        a_store(watched) as store,
        await looking(watched) as connection,
        a_projector(watched, poisoned, EventCount()) as projector,
    ):
        await save_roles(store, *names)
        with pytest.raises(NotCaughtUpError):
            await projector.catch_up()
        await eventually(connection, "SELECT count(*) FROM role_names", 23)
        await eventually(connection, "SELECT total FROM event_count", 40)
        row = await shown(connection)
        assert (row.state, row.position, row.lag_events) == ("failed", 23, 17)
        cursor = await connection.execute("SELECT originator_id || '/1' FROM events WHERE notification_id = 24")
        (event,) = await cursor.fetchone() or ("",)
        assert row.error is not None
        assert row.error.startswith("ValueError in tests/support/followers.py:")
        assert row.error.endswith(f"at position 24, event {event}")
        assert "secret" not in row.error


async def test_a_failing_event_is_found_and_its_append_not_applied(watched: str) -> None:
    together = [f"role-{number}" for number in range(20)]
    together[13] = "poison"
    async with (
        a_store(watched) as store,
        await looking(watched) as connection,
        a_projector(watched, RoleNames()) as projector,
    ):
        await save_roles_together(store, "a", "b", "c")
        await save_roles_together(store, *together)
        await save_roles(store, "d")
        with pytest.raises(NotCaughtUpError):
            await projector.catch_up()
        await eventually(connection, "SELECT array_agg(name ORDER BY position) FROM role_names", ["a", "b", "c"])
        row = await shown(connection)
        assert (row.state, row.position) == ("failed", 3)
        assert row.error is not None
        assert "ValueError in tests/support/followers.py:" in row.error
        assert "at position 17, event " in row.error


async def test_batches_end_where_appends_end(watched: str) -> None:
    seen = Batches()
    async with a_store(watched) as store, a_projector(watched, seen, batch=4) as projector:
        for size in (1, 3, 2, 7, 1, 1, 5):
            await save_roles_together(store, *("r" * size))
        await projector.take_leases()
        while await projector.step():
            pass
        assert seen.ends == [4, 13, 20]


async def test_a_failing_event_is_tried_again_and_heals(watched: str) -> None:
    poisoned = RoleNames()
    async with (
        a_store(watched) as store,
        await looking(watched) as connection,
        following(watched, poisoned, EventCount()),
    ):
        await save_roles(store, "a", "poison", "b")
        await eventually(connection, "SELECT error IS NOT NULL FROM projections WHERE name = 'role_names'", True)
        await eventually(connection, "SELECT total FROM event_count", 3)
        poisoned.poisonous = False
        await eventually(connection, "SELECT position FROM projections WHERE name = 'role_names'", 3)
        assert (await shown(connection)).error is None
        await eventually(connection, "SELECT count(*) FROM role_names", 3)


async def test_an_unreadable_event_stops_only_projections_that_read_it(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        await save_roles(store, "a")
        await append_strangers(connection, 1, topic="unknown.topic")
        await save_roles(store, "b")
        async with a_projector(watched, RoleNames(), EventCount()) as projector:
            with pytest.raises(NotCaughtUpError):
                await projector.catch_up()
        assert (await shown(connection)).position == 3
        stuck = await shown(connection, "event_count")
        assert (stuck.position, stuck.state) == (1, "failed")


async def test_a_gap_is_reported_as_corruption(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        await save_roles(store, *"abcdef")
        await connection.execute("DELETE FROM events WHERE notification_id = 4")
        async with a_projector(watched, RoleNames(), EventCount()) as projector:
            with pytest.raises(NotCaughtUpError):
                await projector.catch_up()
        for name in ("role_names", "event_count"):
            row = await shown(connection, name)
            assert (row.position, row.state) == (3, "failed")
            assert "the log is corrupt: position 4 is missing in the identity log" in str(row.error)


async def test_other_code_than_built_the_tables_leaves_them_alone(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        await save_roles(store, "a")
        async with a_projector(watched, RoleNames()) as projector:
            await connection.execute("UPDATE projections SET version = 0 WHERE name = 'role_names'")
            with pytest.raises(NotCaughtUpError):
                await projector.catch_up()
        assert (await shown(connection)).error == "built by version 0, the code is version 1: rebuild it"
        await eventually(connection, "SELECT count(*) FROM role_names", 0)


async def test_the_second_of_two_workers_takes_over(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection, a_worker_process(watched) as first:
        await save_roles(store, "a")
        await eventually(connection, "SELECT count(*) FROM role_names", 1)
        async with following(watched, RoleNames(), EventCount()):
            await eventually(connection, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'rollbook-projector'", 2)  # fmt: skip
            await save_roles(store, "b")
            await eventually(connection, "SELECT count(*) FROM role_names", 2)
            assert len(await lease_holders(connection)) == 1
            first.kill()
            killed = time.monotonic()
            await save_roles(store, "c")
            await eventually(connection, "SELECT count(*) FROM role_names", 3)
            assert time.monotonic() - killed < 8  # of which 0.5 s are ours
            await eventually(connection, "SELECT total FROM event_count", 3)


async def lease_holders(connection: AsyncConnection) -> set[int]:
    """Processes of Postgres."""
    cursor = await connection.execute(
        "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
    )
    return {pid for (pid,) in await cursor.fetchall()}


async def test_a_worker_killed_during_a_batch_applies_it_once(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        sleeping = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        for _ in range(3):
            await save_roles(store, *(f"role-{number}" for number in range(50)))
            async with a_worker_process(watched, pause=0.2) as worker:
                await eventually(connection, sleeping, True)  # rows written, transaction open
                worker.kill()
                await worker.wait()
        async with a_worker_process(watched):
            await eventually(connection, "SELECT min(position) FROM projections", 150)
        await eventually(connection, "SELECT count(*) FROM role_names", 150)
        await eventually(connection, "SELECT count(DISTINCT position) FROM role_names", 150)
        await eventually(connection, "SELECT total FROM event_count", 150)


async def test_a_lost_listener_costs_no_more_than_the_next_look(watched: str) -> None:
    listeners = "application_name = 'rollbook-listener' AND datname = current_database()"
    async with a_store(watched) as store, await looking(watched) as connection, following(watched, RoleNames()):
        await save_roles(store, "a")
        await eventually(connection, "SELECT count(*) FROM role_names", 1)
        await eventually(connection, f"SELECT count(*) FROM pg_stat_activity WHERE {listeners}", 1)
        await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {listeners}")
        lost = time.monotonic()
        await save_roles(store, "b")
        await eventually(connection, "SELECT count(*) FROM role_names", 2)
        assert time.monotonic() - lost < 5  # of which 0.5 s are ours
        await eventually(connection, f"SELECT count(*) FROM pg_stat_activity WHERE {listeners}", 1)


async def test_without_any_listener_a_worker_looks_for_itself(watched: str) -> None:
    nowhere = make_conninfo(watched, dbname="there-is-none")
    async with (
        a_store(watched) as store,
        await looking(watched) as connection,
        following(watched, RoleNames(), listen_url=nowhere),
    ):
        for number in range(1, 4):
            await save_roles(store, "a")
            await eventually(connection, "SELECT count(*) FROM role_names", number)


async def test_a_new_listener_looks_for_missed_notifications(watched: str) -> None:
    async with (
        a_store(watched) as store,
        await looking(watched) as connection,
        following(watched, RoleNames(), poll=60.0),
    ):
        await save_roles(store, "a")
        await eventually(connection, "SELECT count(*) FROM role_names", 1)
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
                                 " current_database() AND application_name = 'rollbook-listener'")  # fmt: skip
        await save_roles(store, "b")
        await eventually(connection, "SELECT count(*) FROM role_names", 2)


async def test_projected_positions_are_announced(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        await connection.execute("LISTEN rollbook_projected")
        async with a_projector(watched, RoleNames(), EventCount()) as projector:
            await save_roles(store, "a", "b")
            await projector.catch_up()
        heard = [notification.payload async for notification in connection.notifies(timeout=2, stop_after=1)]
        assert heard == ["event_count,role_names:2"]


async def test_the_state_is_true_with_and_without_a_worker(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        async with following(watched, RoleNames()):
            await save_roles(store, "a")
            await eventually(connection, "SELECT position FROM projections", 1)
            await eventually(connection, "SELECT last_poll_at IS NOT NULL FROM projections", True)
            first = await shown(connection)
            assert (first.state, first.lag_events, first.lag_seconds) == ("running", 0, 0)
            await eventually(
                connection, f"SELECT last_poll_at > '{first.last_poll_at}' FROM projections", True, seconds=1.5
            )
        await save_roles(store, "b", "c")
        await connection.execute("UPDATE projections SET last_poll_at = last_poll_at - interval '5 seconds'")
        behind = await shown(connection)
        assert (behind.state, behind.position, behind.head, behind.lag_events) == ("stopped", 1, 3, 2)
        assert 0 < behind.lag_seconds < 60
        assert behind.created_at < datetime.now(UTC) < behind.created_at + timedelta(minutes=1)


async def test_writes_are_visible_soon(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        async with following(watched, RoleNames(), EventCount()):
            await connection.execute("LISTEN rollbook_projected")
            took = []
            for number in range(30):
                written = time.monotonic()
                position = await save_roles(store, f"role-{number}")
                async for notification in connection.notifies(timeout=2):
                    if notification.payload == f"event_count,role_names:{position}":
                        break
                took.append(time.monotonic() - written)
        assert sorted(took)[len(took) // 2] < 0.3  # 2 ms, unless the machine is busy with other tests


async def test_a_worker_survives_the_loss_of_postgres_and_stops_when_told(database_url: str) -> None:
    stop = asyncio.Event()
    worker = asyncio.create_task(projectors.run(settings_for(database_url), stop))
    behind = "SELECT count(*) FROM projections WHERE mode = 'background' AND position < {}"
    async with a_store(database_url) as store, await looking(database_url) as connection:
        for _ in range(3):
            position = await save_roles(store, "a")
            await eventually(connection, "SELECT count(*) > 0 FROM projections", True)
            await eventually(connection, behind.format(position), 0)
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    stop.set()
    await asyncio.wait_for(worker, 5)
