"""Rows on their way into the database: an array per column, so that one statement writes all of them."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import AsyncCursor


def columns_of(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """The rows' columns; nothing for none."""
    return [list(column) for column in zip(*rows, strict=True)]


async def write(cursor: AsyncCursor, statement: str, rows: Iterable[Sequence[Any]], *before: Any) -> None:
    """One statement for all rows, handed over as one array per column; none for none. `before` comes first."""
    columns = columns_of(rows)
    if columns:
        await cursor.execute(statement, [*before, *columns])
