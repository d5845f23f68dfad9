"""What the application is made of, built once in its lifespan and found again from a request."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg import AsyncCursor
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis
from starlette.requests import Request

from adapters.answer_book import AnswerBook
from adapters.metrics import DECISIONS
from adapters.settings import Settings
from adapters.tokens import Tokens
from api.positions import Positions
from domain.application import Identity
from domain.ports import Access, AccessQuery, Directory, TokenVerifier
from domain.service_accounts import TokenReviewer
from projections import access_checks, users_access
from projections.sessions import SessionRow, session_of

SessionOf = Callable[[AsyncCursor, UUID], Awaitable[SessionRow | None]]


@dataclass(frozen=True, kw_only=True)
class Services:
    """`pool` is for reading, its connections commit by themselves; the stores have a pool of their own.

    `settings` are for what an answer depends on, `answers` for requests with an Idempotency-Key, `signer` for answers
    that hand out tokens, `reviewer` for the proofs of service accounts.
    """

    settings: Settings
    pool: AsyncConnectionPool
    positions: Positions
    tokens: TokenVerifier
    access: Access
    answers: AnswerBook
    identity: Identity
    directory: Directory
    signer: Tokens
    reviewer: TokenReviewer
    redis: Redis | None = None
    session_of: SessionOf = session_of


class ReadAccess:
    """Implements `domain.ports.Access` over a pool; each question is one statement, so one snapshot."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def decide(self, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
        with DECISIONS.time():
            async with self._pool.connection() as connection:
                return await access_checks.decide(connection.cursor(), user_id, queries)

    async def readable_users(self, caller_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
        async with self._pool.connection() as connection:
            return await users_access.readable_users(connection.cursor(), caller_id, user_ids)


def services_of(request: Request) -> Services:
    """The services of the application that got this request."""
    services: Services = request.scope["state"]["services"]
    return services
