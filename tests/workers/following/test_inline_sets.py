"""What a start and a rebuild declare of inline projections, and what a new one lacks."""

import psycopg
import pytest
from psycopg import AsyncConnection

from adapters.log.inline_fence import OutdatedProcess, described
from projections import registry
from projections.core import replicators
from tests.support.world.product import a_world
from tests.workers.following.test_rebuild_readers import InlineCount
from workers.following import rebuild

DECLARED = "SELECT inline_projections FROM log_head ORDER BY log"


def declared(database_url: str) -> list[str]:
    with psycopg.connect(database_url) as connection:
        return [text for (text,) in connection.execute(DECLARED).fetchall()]


def declare_by_hand(database_url: str, text: str, schema: int) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE log_head SET inline_projections = %s, inline_order = ARRAY[%s, 1]", [text, schema])


async def test_a_rebuilt_inline_projection_is_swapped_in_with_its_set(database_url: str) -> None:
    async with a_world(database_url) as world:
        lookup = await world.keyring.lookup()
        ours = [described(registry.inline(lookup)), described(registry.projected_from("sessions"))]
        assert declared(database_url) == ours
        declare_by_hand(database_url, "older 1", 1)
        await rebuild.rebuild(world.settings, ["users"], lambda _: None)
        assert declared(database_url) == ["older 1"] * 2  # only inline projections need it
        await rebuild.rebuild(world.settings, ["role_users"], lambda _: None)
        assert declared(database_url) == ours
        await world.organization()


async def test_an_older_version_swaps_no_inline_projection_in(database_url: str) -> None:
    async with a_world(database_url) as world:
        declare_by_hand(database_url, "newer 1", 9999)
        with pytest.raises(OutdatedProcess):
            await rebuild.rebuild(world.settings, ["role_users"], lambda _: None)
        assert declared(database_url) == ["newer 1"] * 2


async def test_a_new_inline_projection_reports_missing_events(database_url: str) -> None:
    async with a_world(database_url), await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await replicators.register(connection, [InlineCount()])
        (shown,) = [each for each in await replicators.replicators(connection) if each.name == "event_count"]
        assert (shown.state, shown.error) == ("failed", "built by version 0, the code is version 1: rebuild it")
