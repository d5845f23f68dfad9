"""Which inline projections every append to a log applies: a process that would apply others may not append.

Otherwise a process of an older version that still runs would leave out what a newer table needs (decision 0032).
"""

from collections.abc import Iterable
from typing import Protocol

from psycopg import AsyncConnection

from domain.core.errors import Unavailable


class OutdatedProcess(Unavailable):
    """The process applies other inline projections than those that were declared last."""

    detail = "This process is of another version than the read models; another process can answer."


class Versioned(Protocol):
    """What the fence looks at of a projection."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...


def described(projections: Iterable[Versioned]) -> str:
    """Names and versions, in an order that does not depend on that of the projections."""
    return ", ".join(sorted(f"{each.name} {each.version}" for each in projections))


async def declare(connection: AsyncConnection, log: str, projections: Iterable[Versioned], schema: int) -> None:
    """From now on appends to the log apply these inline projections and no others.

    `schema` is the number of the last migration that this process knows. Raises OutdatedProcess, and changes nothing,
    when a newer process has declared others.
    """
    projections = list(projections)
    ours = described(projections)
    order = [schema, sum(each.version for each in projections)]
    await connection.execute(_DECLARE, {"log": log, "ours": ours, "order": order})
    if await declared(connection, log) != ours:
        raise OutdatedProcess


async def declared(connection: AsyncConnection, log: str) -> str | None:
    """The description of what was declared last; None before any process has declared anything."""
    cursor = await connection.execute("SELECT inline_projections FROM log_head WHERE log = %s", (log,))
    row = await cursor.fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


_DECLARE = """
UPDATE log_head SET inline_projections = %(ours)s, inline_order = %(order)s::integer[]
WHERE log = %(log)s AND (inline_order IS NULL OR inline_order < %(order)s::integer[])
"""
