"""Opens the identity log for processes beside the API that append to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from adapters.log.event_store import EventStore
from adapters.postgres.connections import Pool
from adapters.security.keyring import Keyring
from adapters.settings import Settings
from domain.core.logs import IDENTITY
from domain.core.ports import Lookup
from projections import registry
from workers.following.inline_sets import declare_inline


class IdentityStore(NamedTuple):
    """The event store, the pool and the lookup that commands need."""

    store: EventStore
    pool: Pool
    lookup: Lookup


@asynccontextmanager
async def identity_store(settings: Settings, name: str, *, connections: int) -> AsyncIterator[IdentityStore]:
    """Open the log for appends, with a pool of `connections`. Raises OutdatedProcess if a newer version has started."""
    wait = settings.database_wait
    async with Pool(settings.dsn(), application_name=name, max_size=connections, timeout=wait) as pool:
        keyring = Keyring(pool, settings.master_key_bytes())
        lookup = await keyring.lookup()
        async with pool.connection() as connection:
            await declare_inline(connection, lookup)
        async with EventStore(pool, IDENTITY, registry.inline(lookup), keyring) as store:
            yield IdentityStore(store, pool, lookup)
