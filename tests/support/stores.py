"""A store on a test's own database, as the application's role sees it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg

from adapters.log.append_batches import Rights
from adapters.log.append_transaction import InlineProjection
from adapters.log.event_store import EventStore
from adapters.postgres.connections import Pool
from adapters.security.keyring import Keyring
from tests.support.logins import application_dsn

MASTER_KEY = bytes(range(32))


@asynccontextmanager
async def a_pool(database_url: str, *, size: int = 8, wait: float = 20.0) -> AsyncIterator[Pool]:
    dsn = application_dsn(database_url)
    async with Pool(dsn, application_name="tests", max_size=size, timeout=wait) as pool:
        yield pool


@asynccontextmanager
async def a_store(
    database_url: str,
    *,
    projections: Sequence[InlineProjection] = (),
    log: str = "identity",
    rights: Rights | None = None,
    wait: float = 20.0,
) -> AsyncIterator[EventStore]:
    async with (
        a_pool(database_url, wait=wait) as pool,
        EventStore(pool, log, projections, Keyring(pool, MASTER_KEY), rights) as store,
    ):
        yield store


async def waits_for_a_lock(database_url: str) -> None:
    """Return as soon as a session of this database waits for a lock."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        for _ in range(500):
            cursor = await connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if await cursor.fetchone():
                return
            await asyncio.sleep(0.01)
    raise AssertionError("no session waits")
