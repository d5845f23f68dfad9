"""Readers and writers during a rebuild."""

import asyncio
import contextlib

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.log.event_store import EventStore
from projections.core.projection import InlineProjection
from tests.support.followers import (
    EventCount,
    RoleNames,
    a_role,
    eventually,
    following,
    make_tables,
    save_roles,
)
from tests.support.stores import a_pool, a_store
from tests.workers.following.test_rebuild import looking, rebuilt

pytestmark = pytest.mark.slow


class InlineCount(EventCount, InlineProjection):
    """The same, in the append's own transaction."""


@pytest.mark.parametrize("projection", [EventCount(), InlineCount()], ids=["background", "inline"])
async def test_readers_never_fail_or_see_less_than_before(database_url: str, projection: EventCount) -> None:
    make_tables(database_url)
    inline = [projection] if isinstance(projection, InlineProjection) else []
    async with a_store(database_url, projections=inline) as store, a_pool(database_url) as pool:
        await save_roles(store, *"abc")
        finished = asyncio.Event()
        seen = asyncio.gather(
            *(read_on(pool, finished, isolation) for isolation in ISOLATIONS), write_on(store, finished)
        )
        async with contextlib.AsyncExitStack() as stack:
            if not inline:
                await stack.enter_async_context(following(database_url, EventCount()))
            for _ in range(5):
                await rebuilt(database_url, projection)
                await asyncio.sleep(0.05)
            finished.set()
            *counts, written = await seen
            async with await looking(database_url) as connection:
                await eventually(connection, "SELECT total FROM event_count", written + 3)
        assert min(counts) > 20


ISOLATIONS = (psycopg.IsolationLevel.READ_COMMITTED, psycopg.IsolationLevel.REPEATABLE_READ)


async def read_on(pool: AsyncConnectionPool, finished: asyncio.Event, isolation: psycopg.IsolationLevel) -> int:
    """How often it was read; each transaction sees at least what the one before saw."""
    last = count = 0
    async with pool.connection() as connection:
        await connection.set_isolation_level(isolation)
        while not finished.is_set():
            async with connection.transaction():
                await connection.execute("SELECT 1")  # takes the snapshot, long before the table is named
                await asyncio.sleep(0.002)
                cursor = await connection.execute("SELECT coalesce(max(total), 0) FROM event_count", prepare=True)
                row = await cursor.fetchone()
            assert row is not None
            assert row[0] >= last, f"{row[0]} after {last} at {isolation.name}"
            last, count = row[0], count + 1
        await connection.rollback()
        await connection.set_isolation_level(None)
    return count


async def write_on(store: EventStore, finished: asyncio.Event) -> int:
    """How many events it wrote."""
    count = 0
    while not finished.is_set():
        await store.save(a_role())
        count += 1
        await asyncio.sleep(0.001)
    return count


async def test_a_rebuild_ends_under_constant_writes(database_url: str) -> None:
    make_tables(database_url)
    slow = RoleNames(pause=0.1)
    async with a_store(database_url) as store, await looking(database_url) as connection:
        await save_roles(store, "first")
        finished = asyncio.Event()
        writing = asyncio.create_task(write_on(store, finished))
        async with following(database_url, RoleNames()):
            await asyncio.wait_for(rebuilt(database_url, slow), 60)
            finished.set()
            await eventually(connection, "SELECT count(*) FROM role_names", 1 + await writing)


async def test_an_open_transaction_keeps_its_rows_after_the_swap(database_url: str) -> None:
    make_tables(database_url)
    async with a_store(database_url, projections=[InlineCount()]) as store, a_pool(database_url) as pool:
        await save_roles(store, *"abc")
        async with pool.connection() as reader:
            await reader.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
            async with reader.transaction():
                await reader.execute("SELECT 1")
                rebuilding = asyncio.create_task(rebuilt(database_url, InlineCount()))
                await asyncio.sleep(1)
                assert not rebuilding.done()
                cursor = await reader.execute("SELECT total FROM event_count")
                assert await cursor.fetchone() == (3,)
            await rebuilding
