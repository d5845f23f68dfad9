"""Looks up sessions and permissions, which nearly every request needs."""

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

MAX_BATCHED = 50
"""Queries of one request. A request with more is not batched with other requests, so that it does not delay them."""

R = TypeVar("R")

SessionOf = Callable[[UUID], Awaitable[SessionRow | None]]


def session_lookup(pool: Pool) -> SessionOf:
    """Return a function that finds the present state of a session, even of an ended one; None if it never existed."""

    async def ask_all(session_ids: Sequence[UUID]) -> Sequence[SessionRow | None]:
        return await pool.ask(lambda cursor: sessions_of(cursor, session_ids))

    return QueryBatcher(ask_all).ask


class ReadAccess:
    """Answers access queries, each request from one statement and so from one snapshot. Implements `Access`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._checks = QueryBatcher(self._ask_all)

    async def decide(self, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
        """As in `domain.core.ports.Access`. The current decision, if any, rests on the answers."""
        allowed = (await self.decided(user_id, queries)).allowed
        await note_granted(user_id, queries, allowed)
        return allowed

    async def decided(self, user_id: UUID, queries: Sequence[AccessQuery], session_id: UUID | None = None) -> Decided:
        """Return the answers with the position of their snapshot, and the session if `session_id` is given."""
        asked = Asked(user_id, queries, session_id)
        with DECISIONS.time():
            if len(queries) <= MAX_BATCHED:
                return await self._checks.ask(asked)
            (decided,) = await self._ask_all([asked])
            return decided

    async def decided_for_all(self, user_ids: Sequence[UUID], queries: Sequence[AccessQuery]) -> Decisions:
        """Return the answers to the same queries for each of the users, all from one snapshot."""
        with DECISIONS.time():
            return await self._ask(lambda cursor: decide_many(cursor, user_ids, queries))

    async def readable_users(self, user_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
        """As in `domain.core.ports.Access`. The current decision, if any, rests on the answer."""
        readable = await self._ask(lambda cursor: visibility.readable_users(cursor, user_id, user_ids))
        note_readable(user_id, readable)
        return readable

    async def _ask_all(self, asked: Sequence[Asked]) -> Sequence[Decided]:
        return await self._ask(lambda cursor: decide_each(cursor, asked))

    async def _ask(self, query: Callable[[AsyncCursor], Awaitable[R]]) -> R:
        return await self._pool.ask(query)
