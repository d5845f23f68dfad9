"""The result of a projection never depends on where a batch of the log ends."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from adapters.postgres.arrays import send_arrays_in_binary
from domain.core.recorded import Event, Recorded
from projections import registry
from projections.core.projection import Projection
from tests.support.histories import BEGINNING, STEPS, Appends, History
from tests.support.logins import application_dsn
from tests.support.tables import rows_of

pytestmark = pytest.mark.slow

OF_SESSIONS = registry.projected_from("sessions")
ALL = [*registry.inline(lambda kind, value: f"{kind}:{value}".encode()), *registry.background(), *OF_SESSIONS]


@pytest.mark.parametrize("projection", ALL, ids=lambda projection: projection.name)
@settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 999))
def test_tables_do_not_depend_on_the_size_of_batches(
    database_url: str, projection: Projection, data: st.DataObject, seed: int
) -> None:
    steps = data.draw(st.lists(st.sampled_from(steps_for(projection)), min_size=5, max_size=15))
    asyncio.run(compare(database_url, projection, Random(seed), steps))


@cache
def kinds_of_steps() -> dict[str, set[type[Event]]]:
    """Which events each step may make, from a long history."""
    return asyncio.run(_kinds_of_steps())


async def _kinds_of_steps() -> dict[str, set[type[Event]]]:
    kinds: dict[str, set[type[Event]]] = {step: set() for step in STEPS}
    appends, randomness = Appends(), Random(1)
    history = History(appends, appends, randomness=randomness, rounds=0)
    await history.take(BEGINNING * 3)
    for _ in range(1500):
        known, step = len(appends.made), randomness.choice(STEPS)
        await history.take([step])
        kinds[step] |= {type(each.event) for append in appends.made[known:] for each in append}
    return kinds


def steps_for(projection: Projection) -> list[str]:
    """Steps that make what the projection looks at, so that histories are about what it keeps."""
    kinds = projection.events or (object,)
    return [step for step, made in kinds_of_steps().items() if any(issubclass(each, kinds) for each in made)]


async def compare(database_url: str, projection: Projection, randomness: Random, steps: Sequence[str]) -> None:
    """Apply one history in batches of one append, two, three and so on, each time to empty tables."""
    identity, sessions = Appends(), Appends()
    await History(identity, sessions, randomness=randomness, rounds=0).take([*BEGINNING * 2, *steps])
    appends = shares_of(projection, (sessions if projection in OF_SESSIONS else identity).made)
    async with await AsyncConnection.connect(application_dsn(database_url), autocommit=True) as connection:
        send_arrays_in_binary(connection)
        one_by_one = await tables_after(connection, projection, appends, 1)
        for size in range(2, len(appends) + 1):
            assert await tables_after(connection, projection, appends, size) == one_by_one, f"{size} appends at once"


def shares_of(projection: Projection, appends: Iterable[Sequence[Recorded]]) -> list[list[Recorded]]:
    """What the projection looks at, append by append."""
    kinds = projection.events
    wanted = ([each for each in append if kinds is None or isinstance(each.event, kinds)] for append in appends)
    return [share for share in wanted if share]


async def tables_after(
    connection: AsyncConnection, projection: Projection, appends: Sequence[Sequence[Recorded]], size: int
) -> dict[str, list[str]]:
    """All rows, and none of them any more afterwards."""
    async with connection.transaction(force_rollback=True):
        for start in range(0, len(appends), size):
            batch = list(chain.from_iterable(appends[start : start + size]))
            await projection.apply(connection.cursor(), batch)
            await connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        return await rows_of(connection, projection.tables)


def test_an_owner_may_lose_several_individuals_in_one_batch(database_url: str) -> None:
    (authorization,) = (each for each in ALL if each.name == "authorization")
    steps = [*["record"] * 6, *["change_owner"] * 8]
    asyncio.run(compare(database_url, authorization, Random(0), steps))
