"""What a query costs, whatever else the machine does: the blocks that it touches."""

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
