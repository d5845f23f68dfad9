"""What nearly every request asks of the decision tables: whose session it is, and what its user may do."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from psycopg import AsyncCursor

from adapters.metrics import DECISIONS
from adapters.postgres.connections import Pool
from adapters.postgres.query_batcher import QueryBatcher
from domain.core.decisions import note_granted, note_readable
from domain.core.ports import AccessQuery
from projections.access.checks import Asked, Decided, Decisions, decide_each, decide_many
from projections.core import visibility
from projections.sessions.sessions import SessionRow, sessions_of

FEW = 50
"""A question with more queries than this is not made to wait for, nor does it hold up, those of others."""

R = TypeVar("R")

SessionOf = Callable[[UUID], Awaitable[SessionRow | None]]


def session_lookup(pool: Pool) -> SessionOf:
    """Finds a session as it is now, also when it has ended; None when there never was one."""

    async def ask_all(session_ids: Sequence[UUID]) -> Sequence[SessionRow | None]:
        return await pool.ask(lambda cursor: sessions_of(cursor, session_ids))

    return QueryBatcher(ask_all).ask


class ReadAccess:
    """Implements `domain.core.ports.Access` over a pool: one statement for each question, so one snapshot."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._checks = QueryBatcher(self._ask_all)

    async def decide(self, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
        """As in `domain.core.ports.Access`; the current decision, if any, rests on the answers from now on."""
        allowed = (await self.decided(user_id, queries)).allowed
        await note_granted(user_id, queries, allowed)
        return allowed

    async def decided(self, user_id: UUID, queries: Sequence[AccessQuery], session_id: UUID | None = None) -> Decided:
        """As `decide`, with the session, if one is named, and the position of the log that the answers are of."""
        asked = Asked(user_id, queries, session_id)
        with DECISIONS.time():
            if len(queries) <= FEW:
                return await self._checks.ask(asked)
            (decided,) = await self._ask_all([asked])
            return decided

    async def decided_for_all(self, user_ids: Sequence[UUID], queries: Sequence[AccessQuery]) -> Decisions:
        """The same queries for each of the users, all from one snapshot."""
        with DECISIONS.time():
            return await self._ask(lambda cursor: decide_many(cursor, user_ids, queries))

    async def readable_users(self, user_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
        """As in `domain.core.ports.Access`; the current decision, if any, rests on the answers from now on."""
        readable = await self._ask(lambda cursor: visibility.readable_users(cursor, user_id, user_ids))
        note_readable(user_id, readable)
        return readable

    async def _ask_all(self, asked: Sequence[Asked]) -> Sequence[Decided]:
        return await self._ask(lambda cursor: decide_each(cursor, asked))

    async def _ask(self, query: Callable[[AsyncCursor], Awaitable[R]]) -> R:
        return await self._pool.ask(query)
