"""What the application is made of, built once in its lifespan and found again from a request."""

from dataclasses import dataclass

from redis.asyncio import Redis
from starlette.requests import Request

from adapters.answer_book import AnswerBook
from adapters.connections import Pool
from adapters.settings import Settings
from adapters.throttle import Throttle
from adapters.tokens import Tokens
from adapters.write_probe import WriteProbe
from api.indexing import Indexing
from api.positions import Positions
from api.standing import ReadAccess, SessionOf
from domain.application import Identity
from domain.ports import Directory, TokenVerifier
from domain.service_accounts import TokenReviewer


@dataclass(frozen=True, kw_only=True)
class Services:
    """`pool` is for reading, its connections commit by themselves; the stores have a pool of their own.

    `settings` are for what an answer depends on, `answers` for requests with an Idempotency-Key, `signer` for answers
    that hand out tokens, `reviewer` for the proofs of service accounts, `indexing` for long lists of individuals,
    `throttle` for what is bounded by address or session.
    """

    settings: Settings
    pool: Pool
    positions: Positions
    indexing: Indexing
    tokens: TokenVerifier
    session_of: SessionOf
    access: ReadAccess
    answers: AnswerBook
    identity: Identity
    directory: Directory
    signer: Tokens
    reviewer: TokenReviewer
    throttle: Throttle
    probe: WriteProbe
    redis: Redis | None = None


def services_of(request: Request) -> Services:
    """The services of the application that got this request."""
    services: Services = request.scope["state"]["services"]
    return services
