"""What a query costs, whatever else the machine does: the blocks that it touches, the rows that it fetches."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncCursor


async def touched(cursor: AsyncCursor, statement: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> int:
    """Blocks of the cache or the disk; a sequential scan touches all that a table has."""
    await cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters, prepare=False)
    row = await cursor.fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


async def fetched(cursor: AsyncCursor) -> int:
    """Rows that the current transaction has read from tables so far; those that an index alone answers do not count."""
    await cursor.execute("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0] or 0)
