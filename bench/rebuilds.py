"""5. How many events per second does a rebuild of each projection apply?"""

import time

from psycopg_pool import AsyncConnectionPool

from adapters.log.codec import EventCodec
from adapters.log.reader import LogReader
from adapters.postgres.connections import Pool
from bench.bench import Bench
from bench.figures import Figure, Limit
from bench.stores import keyring_of
from domain.core.recorded import topics_of
from projections import registry
from projections.core import replicators
from projections.core.projection import Projection
from workers.following.rebuild import BATCH, rebuild_one

AIM = 20_000


async def measure(bench: Bench) -> list[Figure]:
    async with Pool(bench.settings.owner_dsn("rebuild"), application_name="bench", max_size=3) as pool:
        keyring = keyring_of(bench.settings, pool)
        projections = [*registry.inline(await keyring.lookup()), *registry.background()]
        async with pool.connection() as connection:
            await replicators.register(connection, projections)
        decoding = Limit("decoding all events alone, events/s", await _measure_decoding(bench, pool))
        return [await _measure_rebuild(bench, pool, projection, decoding) for projection in projections]


async def _measure_decoding(bench: Bench, pool: AsyncConnectionPool) -> float:
    reader = LogReader(EventCodec(keyring_of(bench.settings, pool)))
    async with pool.connection() as connection:
        began, head = time.perf_counter(), await reader.head(connection)
        for position in range(0, head, BATCH):
            await reader.read(connection, position, min(position + BATCH, head), None)
    return head / (time.perf_counter() - began)


async def _measure_rebuild(bench: Bench, pool: AsyncConnectionPool, projection: Projection, decoding: Limit) -> Figure:
    keyring = keyring_of(bench.settings, pool)
    own_events, all_events = await _count_events(pool, projection)
    began = time.perf_counter()
    await rebuild_one(bench.settings.owner_dsn(), pool, keyring, projection, lambda _: None)
    took = time.perf_counter() - began
    bench.say(f"{projection.name}: {took:.1f} s")
    more = {"seconds": took, "its own events/s": own_events / took}
    name = f"rebuild of {projection.name} ({projection.mode})"
    return Figure(name, all_events / took, "events/s", [decoding], AIM, more)


async def _count_events(pool: AsyncConnectionPool, projection: Projection) -> tuple[int, int]:
    """Return the number of events that the projection reads, and of all events."""
    topics = topics_of(projection.events)
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FILTER (WHERE %s::text[] IS NULL OR topic = ANY(%s::text[])), count(*) FROM events",
            (topics, topics),
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
