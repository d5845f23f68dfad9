"""The projector applies every event once and in order, and reports failures; processes may be killed."""

import pytest
from psycopg import AsyncConnection

from projections.core import replicators
from projections.core.replicators import Replicator
from tests.support.followers import (
    Batches,
    EventCount,
    RoleNames,
    a_projector,
    eventually,
    following,
    save_roles,
    save_roles_together,
)
from tests.support.stores import a_store
from workers.following.projector import NotCaughtUpError

pytestmark = pytest.mark.slow


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
