"""The locks of a swap: no process may write the live tables, and no old snapshot may still read."""

import asyncio
import time
from collections.abc import Sequence

from psycopg import AsyncConnection, errors
from psycopg.rows import TupleRow

from projections.core.projection import InlineProjection, Projection
from workers.following import table_copies as copies

SHORTEST_LOCK, LONGEST_LOCK = 200, 1500  # milliseconds that readers may have to wait for one try of the swap
OLD_READERS = 0.3  # seconds that one try waits for transactions that began before the copy was complete


async def hold_still(connection: AsyncConnection, projection: Projection, log: str) -> int:
    """Until the transaction ends nobody applies anything to the live tables; up to where they are filled."""
    if isinstance(projection, InlineProjection):
        query, key = "SELECT position FROM log_head WHERE log = %s FOR UPDATE", log
    else:
        query, key = "SELECT position FROM projections WHERE name = %s FOR UPDATE", projection.name
    cursor = await connection.execute(query, (key,))
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def old_readers(swapping: AsyncConnection, other: AsyncConnection) -> bool:
    """Return whether a snapshot from before the copy was complete is still open.

    Such a transaction would find the new table by its name, and in it less than the old one had. Asked by the other
    connection: within the transaction that swaps the answer would never change.
    """
    end = time.monotonic() + OLD_READERS
    readers = await _readers(swapping, other)
    while readers and time.monotonic() < end:
        await asyncio.sleep(0.005)
        readers &= await _readers(swapping, other)
    return bool(readers)


async def drop_retired(connection: AsyncConnection, tables: Sequence[str]) -> None:
    """Drop the retired tables when their last readers have ended."""
    await connection.execute(f"SET lock_timeout = {LONGEST_LOCK}")
    while True:
        try:
            await copies.drop(connection, copies.RETIRED, tables)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            await asyncio.sleep(0.5)  # a reader that began before the swap; nobody new can find them
        else:
            return


async def _readers(swapping: AsyncConnection, other: AsyncConnection) -> set[TupleRow]:
    cursor = await other.execute(_READERS, (swapping.info.backend_pid,))
    return set(await cursor.fetchall())


# Those who wait for a lock are writers held up by us; the snapshots of their statements will be new ones.
_READERS = """
SELECT pid, xact_start FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND backend_xmin IS NOT NULL
    AND pid NOT IN (pg_backend_pid(), %s) AND wait_event_type IS DISTINCT FROM 'Lock'
"""
