"""A further log is one line in the registry and one migration; everything else follows from them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from adapters.log.event_store import EventStore
from adapters.log.inline_fence import OutdatedProcess
from domain.access.roles import Role
from domain.core.recorded import Recorded
from projections import registry
from projections.core.projection import InlineProjection, WriteCursor
from projections.core.replicators import replicators
from projections.registry import LogProjections
from tests.support.followers import EventCount, eventually, make_tables, save_roles
from tests.support.world.product import World, a_world
from workers.following import rebuild
from workers.running.retention import forget_old_events

LOG = "activity"
MIGRATION = """
INSERT INTO log_head (log, position) VALUES ('activity', 0);
CREATE TABLE activity_events (LIKE events INCLUDING DEFAULTS INCLUDING COMMENTS);
ALTER TABLE activity_events ADD CONSTRAINT activity_events_pkey PRIMARY KEY (originator_id, originator_version);
CREATE UNIQUE INDEX activity_events_notification_id ON activity_events (notification_id);
CREATE TABLE activity_snapshots (LIKE snapshots);
ALTER TABLE activity_snapshots ADD CONSTRAINT activity_snapshots_pkey PRIMARY KEY (originator_id, originator_version);
CREATE TABLE activities (activity_id uuid CONSTRAINT activities_pkey PRIMARY KEY, name text NOT NULL);
GRANT SELECT, INSERT ON activity_events, activity_snapshots TO rollbook_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON activities TO rollbook_app;
"""


class Activities(InlineProjection):
    """What there is, by its stream. Roles stand in for activities."""

    name = "activities"
    events = (Role.Created,)

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        created: list[Any] = [each.event for each in events]
        await cursor.execute(
            "INSERT INTO activities SELECT * FROM unnest(%s::uuid[], %s::text[])",
            ([each.originator_id for each in created], [each.name for each in created]),
        )


@pytest.fixture
def third_log(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    with psycopg.connect(database_url) as owner:
        owner.execute(MIGRATION)
    make_tables(database_url)
    of_activities = LogProjections(
        lambda _: [Activities()],
        lambda: [EventCount()],
        kept_for="session_log_days",
        forgotten={"activities": "activity_id"},
    )
    monkeypatch.setitem(registry.LOGS, LOG, of_activities)
    return database_url


@asynccontextmanager
async def a_log(world: World) -> AsyncIterator[EventStore]:
    async with EventStore(world.pool, LOG, registry.inline(world.lookup, LOG), world.keyring) as store:
        yield store


async def test_a_third_log_is_applied_followed_and_shown(third_log: str) -> None:
    async with (
        a_world(third_log) as world,
        a_log(world) as store,
        await AsyncConnection.connect(third_log, autocommit=True) as owner,
    ):
        assert await save_roles(store, "walked", "slept") == 2  # positions of its own
        await eventually(owner, "SELECT array_agg(name ORDER BY name) FROM activities", ["slept", "walked"])
        await eventually(owner, "SELECT total FROM event_count", 2)
        shown = {each.name: each for each in await replicators(owner)}
        counting = shown["event_count"]
        assert (shown["activities"].head, counting.position, counting.state) == (2, 2, "running")
        assert counting.lag_seconds == 0


async def test_followers_of_a_third_log_have_their_own_lag(third_log: str) -> None:
    async with (
        a_world(third_log, projecting=False) as world,
        a_log(world) as store,
        await AsyncConnection.connect(third_log, autocommit=True) as owner,
    ):
        await save_roles(store, "walked")
        (behind,) = [each for each in await replicators(owner) if each.name == "event_count"]
        assert behind.lag_events == 1
        assert 0 < behind.lag_seconds < 60
        await world.catch_up()
        await eventually(owner, "SELECT total FROM event_count", 1)


async def test_appends_of_an_older_version_to_a_third_log_are_refused(third_log: str) -> None:
    async with a_world(third_log) as world, EventStore(world.pool, LOG, [], world.keyring) as older:
        with pytest.raises(OutdatedProcess):
            await save_roles(older, "walked")


async def test_a_third_log_is_rebuilt_and_forgotten_as_the_sessions_are(third_log: str) -> None:
    async with (
        a_world(third_log) as world,
        a_log(world) as store,
        await AsyncConnection.connect(third_log, autocommit=True) as owner,
    ):
        await save_roles(store, "walked", "slept")
        await owner.execute("DELETE FROM activities")
        await rebuild.rebuild(world.settings, ["activities", "event_count"], lambda _: None)
        await eventually(owner, "SELECT count(*) FROM activities", 2)
        await owner.execute("UPDATE activity_events SET recorded_at = now() - interval '40 days'"
                            " WHERE notification_id = 1")  # fmt: skip
        assert await forget_old_events(world.settings.dsn("maintain"), LOG, 31) == 1
        await eventually(owner, "SELECT array_agg(name) FROM activities", ["slept"])
        await rebuild.rebuild(world.settings, ["activities"], lambda _: None)
        await eventually(owner, "SELECT array_agg(name) FROM activities", ["slept"])
