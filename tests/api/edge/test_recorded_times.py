"""Times that clients sync by grow with the positions, whatever the clocks of our processes say."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import time_machine

from domain.organizations.organizations import OPERATOR_ID
from tests.support.world.product import World, a_world

CLOCKS = [3.0, -3.0] * 4


@contextmanager
def a_clock_off_by(seconds: float) -> Iterator[None]:
    """That of our process; the database's goes on."""
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True):
        yield


async def make_organization(world: World, number: int) -> str:
    return str(await world.organization(f"clinic-{number}"))


async def make_user(world: World, number: int) -> str:
    return str((await world.provider(OPERATOR_ID, f"{number}@people.test")).user_id)


async def make_group(world: World, number: int) -> str:
    return str(await world.group(OPERATOR_ID, f"ward {number}"))


@pytest.mark.parametrize(
    ("make", "path", "asked"),
    [
        (make_organization, "/v1/organizations/", {}),
        (make_user, "/v1/users/", {"filter[include-unverified]": "true"}),
        (make_group, "/v2/individual-groups/", {}),
    ],
)
async def test_incremental_sync_misses_nothing_when_clocks_differ(
    database_url: str, make: Any, path: str, asked: dict[str, str]
) -> None:
    async with a_world(database_url) as world:
        made: list[str] = []
        seen: dict[str, str] = {}
        for number, off in enumerate(CLOCKS):
            with a_clock_off_by(off):
                made.append(await make(world, number))
            await world.catch_up()
            bound = max(seen.values(), default="2000-01-01 00:00:00")
            since = {"filter[cmp-last-modified-time]": f">{bound}", "page[limit]": "50"}
            for row in (await world.get(path, world.system, **asked, **since))["data"]:
                seen[row["id"]] = row["attributes"]["last-modified-time"]
        assert set(made) <= seen.keys()
        times = [seen[each] for each in made]
        assert times == sorted(times)


async def test_a_commands_answer_has_the_time_that_lists_show(database_url: str) -> None:
    async with a_world(database_url, position_wait=0) as world:
        clinic = await world.organization()
        await world.stop_projecting()
        body = {"data": {"type": "organizations", "id": str(clinic), "attributes": {"timezone": "Europe/Berlin"}}}
        with a_clock_off_by(-3):
            answer = await world.patch(f"/v1/organizations/{clinic}/", body, world.system)
        await world.catch_up()
        shown = await world.get(f"/v1/organizations/{clinic}/", world.system)
        assert shown["data"] == answer["data"]


async def test_times_never_fall_in_the_log_and_never_repeat(database_url: str) -> None:
    async with a_world(database_url) as world:
        for number, off in enumerate(CLOCKS):
            with a_clock_off_by(off):
                await world.organization(f"clinic-{number}")
        with psycopg.connect(database_url) as connection:
            rows = connection.execute("SELECT recorded_at FROM events ORDER BY notification_id").fetchall()
            last = connection.execute("SELECT recorded_at FROM log_head WHERE log = 'identity'").fetchone()
            # the clock of a server that took over
            connection.execute("UPDATE log_head SET recorded_at = recorded_at + interval '1 hour'")
        times = [at for (at,) in rows]
        assert times == sorted(set(times))
        assert last == rows[-1]
        assert abs(times[-1] - datetime.now(UTC)) < timedelta(seconds=60)
        later = await world.organization("later")
        await world.catch_up()
        shown = (await world.get(f"/v1/organizations/{later}/", world.system))["data"]["attributes"]
        at = datetime.fromisoformat(shown["last-modified-time"]).replace(tzinfo=UTC)
        assert at > times[-1] + timedelta(minutes=59)
