"""What the application is made of, built once in its lifespan and found again from a request."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from psycopg import AsyncCursor
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request

from adapters.settings import Settings
from api.positions import Positions
from domain.ports import Access, AccessQuery, TokenVerifier


class SessionRow(Protocol):
    """What `projections.sessions.session_of` tells of a session."""

    @property
    def user_id(self) -> UUID: ...
    @property
    def expired(self) -> bool: ...
    @property
    def revoked(self) -> bool: ...
    @property
    def live(self) -> bool: ...
    @property
    def service(self) -> bool: ...
    @property
    def staff(self) -> bool: ...
    @property
    def system(self) -> bool: ...


SessionOf = Callable[[AsyncCursor, UUID], Awaitable[SessionRow | None]]
Decide = Callable[[AsyncCursor, UUID, Sequence[AccessQuery]], Awaitable[list[bool]]]


@dataclass(frozen=True, kw_only=True)
class Services:
    """`pool` is for reading, its connections commit by themselves; the stores have a pool of their own.

    `identity` is the commands (`domain.application.Identity`), `access` the authorization engine.
    """

    settings: Settings
    pool: AsyncConnectionPool
    positions: Positions
    tokens: TokenVerifier
    session_of: SessionOf
    access: Access
    identity: Any = None
    answers: Any = None


class ReadAccess:
    """The authorization engine over a pool; one statement, so one snapshot."""

    def __init__(self, pool: AsyncConnectionPool, decide: Decide) -> None:
        self._pool = pool
        self._decide = decide

    async def decide(self, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
        """As `domain.ports.Access` says."""
        async with self._pool.connection() as connection, connection.cursor() as cursor:
            return await self._decide(cursor, user_id, queries)


def services_of(request: Request) -> Services:
    """The services of the application that got this request."""
    services: Services = request.scope["state"]["services"]
    return services
