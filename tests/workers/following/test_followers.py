"""Workers that follow the log: who leads, who is killed, and how they are woken."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from tests.support import followers
from tests.support.stores import a_store
from tests.support.world.product import settings_for
from tests.workers.following.test_projectors import looking, shown
from workers.following import projectors

pytestmark = pytest.mark.slow

PROJECTORS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'rollbook-projector'"
)


async def test_the_second_of_two_workers_takes_over(watched: str) -> None:
    async with (
        a_store(watched) as store,
        await looking(watched) as connection,
        followers.a_worker_process(watched) as first,
    ):
        await followers.save_roles(store, "a")
        await followers.eventually(connection, "SELECT count(*) FROM role_names", 1)
        async with followers.following(watched, followers.RoleNames(), followers.EventCount()):
            await followers.eventually(connection, PROJECTORS, 2)
            await followers.save_roles(store, "b")
            await followers.eventually(connection, "SELECT count(*) FROM role_names", 2)
            assert len(await lease_holders(connection)) == 1
            first.kill()
            killed = time.monotonic()
            await followers.save_roles(store, "c")
            await followers.eventually(connection, "SELECT count(*) FROM role_names", 3)
            assert time.monotonic() - killed < 8  # of which 0.5 s are ours
            await followers.eventually(connection, "SELECT total FROM event_count", 3)


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
            await followers.save_roles(store, *(f"role-{number}" for number in range(50)))
            async with followers.a_worker_process(watched, pause=0.2) as worker:
                await followers.eventually(connection, sleeping, True)  # rows written, transaction open
                worker.kill()
                await worker.wait()
        async with followers.a_worker_process(watched):
            await followers.eventually(connection, "SELECT min(position) FROM projections", 150)
        await followers.eventually(connection, "SELECT count(*) FROM role_names", 150)
        await followers.eventually(connection, "SELECT count(DISTINCT position) FROM role_names", 150)
        await followers.eventually(connection, "SELECT total FROM event_count", 150)


async def test_a_lost_listener_costs_no_more_than_the_next_look(watched: str) -> None:
    listeners = "application_name = 'rollbook-listener' AND datname = current_database()"
    async with (
        a_store(watched) as store,
        await looking(watched) as connection,
        followers.following(watched, followers.RoleNames()),
    ):
        await followers.save_roles(store, "a")
        await followers.eventually(connection, "SELECT count(*) FROM role_names", 1)
        await followers.eventually(connection, f"SELECT count(*) FROM pg_stat_activity WHERE {listeners}", 1)
        await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {listeners}")
        lost = time.monotonic()
        await followers.save_roles(store, "b")
        await followers.eventually(connection, "SELECT count(*) FROM role_names", 2)
        assert time.monotonic() - lost < 5  # of which 0.5 s are ours
        await followers.eventually(connection, f"SELECT count(*) FROM pg_stat_activity WHERE {listeners}", 1)


async def test_without_any_listener_a_worker_looks_for_itself(watched: str) -> None:
    nowhere = make_conninfo(watched, dbname="there-is-none")
    async with (
        a_store(watched) as store,
        await looking(watched) as connection,
        followers.following(watched, followers.RoleNames(), listen_url=nowhere),
    ):
        for number in range(1, 4):
            await followers.save_roles(store, "a")
            await followers.eventually(connection, "SELECT count(*) FROM role_names", number)


async def test_a_new_listener_looks_for_missed_notifications(watched: str) -> None:
    async with (
        a_store(watched) as store,
        await looking(watched) as connection,
        followers.following(watched, followers.RoleNames(), poll=60.0),
    ):
        await followers.save_roles(store, "a")
        await followers.eventually(connection, "SELECT count(*) FROM role_names", 1)
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
                                 " current_database() AND application_name = 'rollbook-listener'")  # fmt: skip
        await followers.save_roles(store, "b")
        await followers.eventually(connection, "SELECT count(*) FROM role_names", 2)


async def test_projected_positions_are_announced(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        await connection.execute("LISTEN rollbook_projected")
        async with followers.a_projector(watched, followers.RoleNames(), followers.EventCount()) as projector:
            await followers.save_roles(store, "a", "b")
            await projector.catch_up()
        heard = [notification.payload async for notification in connection.notifies(timeout=2, stop_after=1)]
        assert heard == ["event_count,role_names:2"]


async def test_the_state_is_true_with_and_without_a_worker(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        async with followers.following(watched, followers.RoleNames()):
            await followers.save_roles(store, "a")
            await followers.eventually(connection, "SELECT position FROM projections", 1)
            await followers.eventually(connection, "SELECT last_poll_at IS NOT NULL FROM projections", True)
            first = await shown(connection)
            assert (first.state, first.lag_events, first.lag_seconds) == ("running", 0, 0)
            await followers.eventually(
                connection, f"SELECT last_poll_at > '{first.last_poll_at}' FROM projections", True, seconds=1.5
            )
        await followers.save_roles(store, "b", "c")
        await connection.execute("UPDATE projections SET last_poll_at = last_poll_at - interval '5 seconds'")
        behind = await shown(connection)
        assert (behind.state, behind.position, behind.head, behind.lag_events) == ("stopped", 1, 3, 2)
        assert 0 < behind.lag_seconds < 60
        assert behind.created_at < datetime.now(UTC) < behind.created_at + timedelta(minutes=1)


async def test_writes_are_visible_soon(watched: str) -> None:
    async with a_store(watched) as store, await looking(watched) as connection:
        async with followers.following(watched, followers.RoleNames(), followers.EventCount()):
            await connection.execute("LISTEN rollbook_projected")
            took = []
            for number in range(30):
                written = time.monotonic()
                position = await followers.save_roles(store, f"role-{number}")
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
            position = await followers.save_roles(store, "a")
            await followers.eventually(connection, "SELECT count(*) > 0 FROM projections", True)
            await followers.eventually(connection, behind.format(position), 0)
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    stop.set()
    await asyncio.wait_for(worker, 5)
