"""The services of the application, built once in its lifespan."""

from dataclasses import dataclass

from redis.asyncio import Redis
from starlette.requests import Request

from adapters.log.idempotency_store import IdempotencyStore
from adapters.log.write_probe import WriteProbe
from adapters.postgres.connections import Pool
from adapters.security.throttle import Throttle
from adapters.security.tokens import Tokens
from adapters.settings import Settings
from api.edge.access import ReadAccess, SessionOf
from api.edge.indexing import Indexing
from api.edge.positions import Positions
from domain.application import Identity
from domain.core.ports import TokenVerifier
from domain.people.directory import Directory
from domain.sessions.service_accounts import TokenReviewer


@dataclass(frozen=True, kw_only=True)
class Services:
    """The services that endpoints use.

    `pool` is for reads, with connections in autocommit mode; the stores have a pool of their own. `answers` stores the
    results of requests with an Idempotency-Key. `signer` signs issued tokens, `reviewer` reviews the tokens of service
    accounts, `indexing` keeps the index for long lists of individuals, and `throttle` limits calls by address or
    session.
    """

    settings: Settings
    pool: Pool
    positions: Positions
    indexing: Indexing
    tokens: TokenVerifier
    session_of: SessionOf
    access: ReadAccess
    answers: IdempotencyStore
    identity: Identity
    directory: Directory
    signer: Tokens
    reviewer: TokenReviewer
    throttle: Throttle
    probe: WriteProbe
    redis: Redis | None = None


def services_of(request: Request) -> Services:
    """Return the services of the application that received this request."""
    services: Services = request.scope["state"]["services"]
    return services
