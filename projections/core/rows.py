"""Rows on their way into the database, many in one statement, and out of it again; in turns with other tasks.

`insert`, `upsert`, `update`, `add_to_totals` and `replace` take rows as mappings from columns to values, all with the
same columns. They travel as one JSON document, so the migration alone names the types.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from psycopg import AsyncCursor
from psycopg.types.json import Jsonb

from domain.core.personal import Personal, revealed
from domain.core.turns import BATCH
from projections.core.projection import WriteCursor

Row = Mapping[str, Any]
Columns = tuple[str, ...]

UNPAGED = 10_000
"""Rows that lists without paging show at most, the first in their order (ruling D4)."""

_INSERT = "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %s)"
_UPSERT = _INSERT + " ON CONFLICT ({key}) DO UPDATE SET {replaced}"
_ADD = _INSERT + " ON CONFLICT ({key}) DO UPDATE SET total = {table}.total + EXCLUDED.total"
_UPDATE = "UPDATE {table} t SET {changed} FROM jsonb_populate_recordset(NULL::{table}, %s) new WHERE {same}"
_DELETE = "DELETE FROM {table} t USING jsonb_populate_recordset(NULL::{table}, %s) new WHERE {same}"


async def insert(cursor: WriteCursor, table: str, rows: Iterable[Row]) -> None:
    """Insert the rows; columns that they lack get their defaults."""
    await _write_rows(cursor, _INSERT, table, (), rows)


async def upsert(cursor: WriteCursor, table: str, key: Columns, rows: Iterable[Row]) -> None:
    """Insert the rows, or replace the columns of those that have their keys already."""
    await _write_rows(cursor, _UPSERT, table, key, rows)


async def add_to_totals(cursor: WriteCursor, table: str, key: Columns, rows: Iterable[Row]) -> None:
    """Add to the column `total` of the rows with these keys; rows that are missing are inserted."""
    await _write_rows(cursor, _ADD, table, key, rows)


async def update(cursor: WriteCursor, table: str, key: Columns, rows: Iterable[Row]) -> None:
    """Replace columns of the rows with these keys."""
    await _write_rows(cursor, _UPDATE, table, key, rows)


async def delete(cursor: WriteCursor, table: str, key: Columns, keys: Iterable[Sequence[Any]]) -> None:
    """Delete the rows with these keys."""
    await _write_rows(cursor, _DELETE, table, key, (dict(zip(key, each, strict=True)) for each in keys))


async def replace(cursor: WriteCursor, table: str, key: Columns, states: Mapping[Any, Row | None]) -> None:
    """Let the rows with these keys be in these states, None for gone: delete all of them, then insert what is left."""
    await delete(cursor, table, key, (each if isinstance(each, tuple) else (each,) for each in states))
    await insert(cursor, table, (row for row in states.values() if row is not None))


async def write(cursor: WriteCursor, statement: str, rows: Iterable[Sequence[Any]], *before: Any) -> None:
    """Execute a statement for all rows, which it takes as one array per column; not for none. `before` comes first."""
    columns = columns_of(rows)
    if columns:
        await _execute(cursor, statement, [*before, *columns], len(columns[0]))


async def fetched(cursor: AsyncCursor) -> list[Any]:
    """Return all rows of the last statement."""
    rows: list[Any] = []
    while some := await cursor.fetchmany(BATCH):
        rows += some
        if len(some) < BATCH:
            break
        await asyncio.sleep(0)
    return rows


def columns_of(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Return the rows' columns; nothing for no rows."""
    return [list(column) for column in zip(*rows, strict=True)]


def as_json(rows: Any) -> Jsonb:
    """Return rows as a parameter; personal values are in clear in it."""
    return Jsonb(rows, dumps=_dumps)


async def _write_rows(cursor: WriteCursor, statement: str, table: str, key: Columns, rows: Iterable[Row]) -> None:
    written = list(rows)
    if written:
        await _execute(cursor, _sql(statement, table, key, tuple(written[0])), [as_json(written)], len(written))


@lru_cache(maxsize=256)
def _sql(statement: str, table: str, key: Columns, columns: Columns) -> str:
    values = [name for name in columns if name not in key]
    return statement.format(
        table=table,
        columns=", ".join(columns),
        key=", ".join(key),
        replaced=", ".join(f"{name} = EXCLUDED.{name}" for name in values),
        changed=", ".join(f"{name} = new.{name}" for name in values),
        same=" AND ".join(f"t.{name} = new.{name}" for name in key),
    )


async def _execute(cursor: WriteCursor, statement: str, parameters: Sequence[Any], rows: int) -> None:
    if rows <= BATCH:
        await cursor.execute(statement, parameters)
        return
    await asyncio.sleep(0)
    await cursor.execute(statement, parameters)
    await asyncio.sleep(0)


def _dumps(rows: Any) -> bytes:
    return orjson.dumps(rows, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Personal):
        return revealed(value)
    raise TypeError
