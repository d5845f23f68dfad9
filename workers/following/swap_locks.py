"""The locks of a swap: while it runs, no process writes the live tables, and no older snapshot reads them."""

import asyncio
import time
from collections.abc import Sequence

from psycopg import AsyncConnection, errors
from psycopg.rows import TupleRow

from projections.core.projection import InlineProjection, Projection
from workers.following import table_copies as copies

MIN_LOCK_WAIT, MAX_LOCK_WAIT = 200, 1500  # milliseconds that one attempt may hold up readers
OLD_READERS = 0.3  # seconds that one attempt waits for transactions that began before the copy was complete


async def lock_position(connection: AsyncConnection, projection: Projection, log: str) -> int:
    """Lock the position of the live tables, so that no process writes them until the transaction ends; return it."""
    if isinstance(projection, InlineProjection):
        query, key = "SELECT position FROM log_head WHERE log = %s FOR UPDATE", log
    else:
        query, key = "SELECT position FROM projections WHERE name = %s FOR UPDATE", projection.name
    cursor = await connection.execute(query, (key,))
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def has_old_readers(swapping: AsyncConnection, other: AsyncConnection) -> bool:
    """Return whether a snapshot from before the copy was complete is still open.

    Such a transaction would find the new table by its name, but not see all of its rows. Connection `other` runs the
    query, because the result does not change within the transaction of `swapping`.
    """
    end = time.monotonic() + OLD_READERS
    readers = await _readers(swapping, other)
    while readers and time.monotonic() < end:
        await asyncio.sleep(0.005)
        readers &= await _readers(swapping, other)
    return bool(readers)


async def drop_retired(connection: AsyncConnection, tables: Sequence[str]) -> None:
    """Drop the retired tables when their last readers have ended."""
    await connection.execute(f"SET lock_timeout = {MAX_LOCK_WAIT}")
    while True:
        try:
            await copies.drop(connection, copies.RETIRED, tables)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            await asyncio.sleep(0.5)  # for a reader that began before the swap; new readers cannot find these tables
        else:
            return


async def _readers(swapping: AsyncConnection, other: AsyncConnection) -> set[TupleRow]:
    cursor = await other.execute(_READERS, (swapping.info.backend_pid,))
    return set(await cursor.fetchall())


# Sessions that wait for a lock are writers that the swap holds up. Their statements get new snapshots afterwards.
_READERS = """
SELECT pid, xact_start FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND backend_xmin IS NOT NULL
    AND pid NOT IN (pg_backend_pid(), %s) AND wait_event_type IS DISTINCT FROM 'Lock'
"""
