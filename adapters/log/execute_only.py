"""The cursor with which inline projections write, in appends and in rebuilds."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncCursor


class ExecuteOnlyCursor:
    """A cursor that cannot fetch results, so that an inline projection that reads fails at once.

    Reading would wait for the pipeline while the append holds the lock of the head row.
    """

    __slots__ = ("_cursor",)

    def __init__(self, cursor: AsyncCursor) -> None:
        self._cursor = cursor

    async def execute(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None, *, prepare: bool | None = None
    ) -> None:
        """Send the statement. Its error is raised by this call or by a later one."""
        await self._cursor.execute(query, params, prepare=prepare)
