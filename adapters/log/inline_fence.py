"""The declared set of inline projections: a process with another set may not append.

Otherwise a running process of an older version would not write the tables of a newer one (decision 0032).
"""

from collections.abc import Iterable
from typing import Protocol

from psycopg import AsyncConnection

from domain.core.errors import Unavailable


class OutdatedProcess(Unavailable):
    """The process and the read models have different versions; another process can answer.

    The inline projections of this process differ from those that were declared last.
    """


class Versioned(Protocol):
    """The part of a projection that is declared."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...


def described(projections: Iterable[Versioned]) -> str:
    """Return the sorted names and versions of the projections as text."""
    return ", ".join(sorted(f"{projection.name} {projection.version}" for projection in projections))


async def declare(connection: AsyncConnection, log: str, projections: Iterable[Versioned], schema: int) -> None:
    """Declare the inline projections of the log. After that, processes with other ones may not append.

    `schema` is the number of the last migration that this process knows. Raises OutdatedProcess, and changes nothing,
    when a newer version has declared others.
    """
    projections = list(projections)
    ours = described(projections)
    order = [schema, sum(projection.version for projection in projections)]
    await connection.execute(_DECLARE, {"log": log, "ours": ours, "order": order})
    if await declared(connection, log) != ours:
        raise OutdatedProcess


async def declared(connection: AsyncConnection, log: str) -> str | None:
    """Return the description of the declared set; None before the first declaration."""
    cursor = await connection.execute("SELECT inline_projections FROM log_head WHERE log = %s", (log,))
    row = await cursor.fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


_DECLARE = """
UPDATE log_head SET inline_projections = %(ours)s, inline_order = %(order)s::integer[]
WHERE log = %(log)s AND (inline_order IS NULL OR inline_order < %(order)s::integer[])
"""
