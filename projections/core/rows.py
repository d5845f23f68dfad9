"""Rows on their way into the database, an array per column, so that one statement writes all of them; and out of it.

Many rows are handled in turns with other tasks.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import AsyncCursor

from domain.core.turns import BATCH
from projections.core.projection import WriteCursor


def columns_of(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """The rows' columns; nothing for none."""
    return [list(column) for column in zip(*rows, strict=True)]


async def fetched(cursor: AsyncCursor) -> list[Any]:
    """All rows of the last statement."""
    rows: list[Any] = []
    while some := await cursor.fetchmany(BATCH):
        rows += some
        if len(some) < BATCH:
            break
        await asyncio.sleep(0)
    return rows


async def write(cursor: WriteCursor, statement: str, rows: Iterable[Sequence[Any]], *before: Any) -> None:
    """One statement for all rows, handed over as one array per column; none for none. `before` comes first."""
    columns = columns_of(rows)
    if not columns:
        return
    many = len(columns[0]) > BATCH
    if many:
        await asyncio.sleep(0)
    await cursor.execute(statement, [*before, *columns])
    if many:
        await asyncio.sleep(0)
