"""The product's event store on a database, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from psycopg_pool import AsyncConnectionPool

from adapters.log.event_store import EventStore
from adapters.postgres.connections import Pool
from adapters.security.keyring import Keyring
from adapters.security.signing_keys import signing_keys
from adapters.security.tokens import Tokens
from adapters.settings import Settings
from domain.core.logs import IDENTITY
from domain.core.principal import SessionKind
from domain.people.users import User
from domain.sessions.sessions import MAX_ACCESS_SECONDS, Session
from projections import registry


@asynccontextmanager
async def a_pool(settings: Settings) -> AsyncIterator[Pool]:
    async with Pool(settings.dsn(), application_name="bench", min_size=2, max_size=settings.pool_size) as pool:
        yield pool


@asynccontextmanager
async def a_store(settings: Settings, pool: AsyncConnectionPool, log: str = IDENTITY) -> AsyncIterator[EventStore]:
    """Open the log with all its inline projections, as an API process does."""
    keyring = keyring_of(settings, pool)
    async with EventStore(pool, log, registry.inline(await keyring.lookup(), log), keyring) as store:
        yield store


def keyring_of(settings: Settings, pool: AsyncConnectionPool) -> Keyring:
    return Keyring(pool, settings.master_key_bytes())


async def token_of(settings: Settings, user_id: UUID) -> str:
    """Return an access token of the user that is valid for an hour."""
    signer = Tokens(signing_keys(settings), settings.issuer, settings.audience)
    async with (
        a_pool(settings) as pool,
        a_store(settings, pool) as store,
        a_store(settings, pool, "sessions") as sessions,
    ):
        user = await store.get(User, user_id)
        kind: SessionKind = "service" if user.kind == "service" else "password"
        session = Session.open(
            uuid4(),
            user,
            organization_id=user.current_organization,
            position=await store.head(),
            kind=kind,
            seconds=MAX_ACCESS_SECONDS,
        )
        await sessions.save(session)
    return signer.access_token(user.id, session.id, session.organization_id, session.access_until())
