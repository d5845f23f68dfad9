"""The cursor that inline projections write with, in appends and in rebuilds."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncCursor


class ExecuteOnlyCursor:
    """A cursor without results: an inline projection that reads one fails at once, wherever it is applied.

    Reading would wait for the pipeline while the append holds the lock of the log's head.
    """

    __slots__ = ("_cursor",)

    def __init__(self, cursor: AsyncCursor) -> None:
        self._cursor = cursor

    async def execute(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None, *, prepare: bool | None = None
    ) -> None:
        """Send the statement; an error of it is raised by this call or by a later one."""
        await self._cursor.execute(query, params, prepare=prepare)
