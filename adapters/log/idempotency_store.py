"""Requests with an Idempotency-Key and what they came to, for a day (ruling A6).

The event store writes a row beside the events; of a command without events it is written here. A lock on a connection
of the process's own says that a request is still running: Postgres gives it back when the process dies.
"""

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID

import psycopg
import structlog
from psycopg import AsyncConnection, AsyncCursor

from adapters.background import BackgroundTask
from adapters.postgres.connections import Pool, connect
from domain.core.idempotency import IdempotentRequest

CLEAN_EVERY = 600.0

log = structlog.get_logger()


class Entry(NamedTuple):
    """What a request came to: the status of its answer, where it was recorded, and the id of what it is about."""

    fingerprint: bytes
    status: int
    resource_id: str | None
    position: int


class Slot(NamedTuple):
    """A client's key as it is kept: a keyed hash, and its lock."""

    user_id: UUID
    key: str
    lock: int


class IdempotencyStore:
    """An async context manager; inside, it forgets what is older than a day. `secret` is the same for all processes."""

    def __init__(self, pool: Pool, lock_url: str, secret: bytes) -> None:
        self._pool = pool
        self._lock_url = lock_url
        self._secret = hmac.digest(secret, b"rollbook: answers to idempotent requests", hashlib.sha256)
        self._connection: AsyncConnection | None = None
        self._connecting = asyncio.Lock()
        self._running: set[int] = set()
        self._stopping = asyncio.Event()
        self._cleaner = BackgroundTask("answer-book", self._clean_now_and_then)

    async def __aenter__(self) -> Self:
        self._cleaner.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()  # a cancellation can get lost in a query that is being cancelled
        await self._cleaner.stop()
        if self._connection is not None:
            await self._connection.close()

    def slot(self, user_id: UUID, key: str) -> Slot:
        """Where the outcome of this user's request with this key is kept."""
        scope = user_id.bytes + key.encode()
        lock = int.from_bytes(self._digest(b"lock", scope)[:8], "big", signed=True)
        return Slot(user_id, self._digest(b"key", scope).hex(), lock)

    def fingerprint(self, *parts: bytes) -> bytes:
        """Tells requests apart."""
        return self._digest(b"fingerprint", *(hashlib.sha256(part).digest() for part in parts))

    @asynccontextmanager
    async def running(self, slot: Slot) -> AsyncIterator[bool]:
        """False when another request with this key is running, here or in another process."""
        if slot.lock in self._running:
            yield False
            return
        self._running.add(slot.lock)
        try:
            connection = await self._lock(slot.lock)
            try:
                yield connection is not None
            finally:
                if connection is not None:
                    await _unlock(connection, slot.lock)
        finally:
            self._running.discard(slot.lock)

    async def find(self, slot: Slot) -> Entry | None:
        """What is known of a request, unless it is older than a day. To be asked while it is `running`."""

        async def find(cursor: AsyncCursor) -> Entry | None:
            await cursor.execute(_FIND, [slot.user_id, slot.key], prepare=True)
            row = await cursor.fetchone()
            if row is None:
                return None
            *entry, old = row
            if old:
                await cursor.execute(_FORGET, [slot.user_id, slot.key])
                return None
            return Entry(*entry)

        return await self._pool.ask(find)

    async def remember(self, request: IdempotentRequest, position: int, resource_id: str | None) -> None:
        """Keep what a command without events came to, of which the event store writes nothing."""
        values = [request.user_id, request.key, request.fingerprint, request.status, resource_id, position]
        await self._pool.ask(lambda cursor: cursor.execute(_REMEMBER, values, prepare=True))

    async def clean(self) -> int:
        """Forget what is older than a day; how many."""
        async with self._pool.connection() as connection:
            return (await connection.execute(_CLEAN)).rowcount

    def _digest(self, purpose: bytes, *parts: bytes) -> bytes:
        return hmac.digest(self._secret, b"\0".join([purpose, *parts]), hashlib.sha256)

    async def _lock(self, lock: int) -> AsyncConnection | None:
        """The connection that holds the lock from now on; None when another process has it."""
        connection = await self._lock_connection()
        try:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        except psycopg.OperationalError:  # it was lost while nobody looked
            await connection.close()
            connection = await self._lock_connection()
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        return connection if await cursor.fetchone() == (True,) else None

    async def _lock_connection(self) -> AsyncConnection:
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                self._connection = await connect(self._lock_url, application_name="rollbook-idempotency")
            return self._connection

    async def _clean_now_and_then(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.clean()
            except psycopg.Error as error:
                log.warning("answers-not-cleaned", reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), CLEAN_EVERY)


async def _unlock(connection: AsyncConnection, lock: int) -> None:
    """A connection that is gone took its locks along."""
    with contextlib.suppress(psycopg.OperationalError):
        await connection.execute("SELECT pg_advisory_unlock(%s)", [lock])


_FIND = """
SELECT fingerprint, status, resource_id, position, recorded_at < now() - interval '24 hours'
FROM idempotency_keys WHERE user_id = %s AND key = %s
"""
_FORGET = "DELETE FROM idempotency_keys WHERE user_id = %s AND key = %s"
_REMEMBER = """
INSERT INTO idempotency_keys (user_id, key, fingerprint, status, resource_id, position) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (user_id, key) DO NOTHING
"""
_CLEAN = "DELETE FROM idempotency_keys WHERE recorded_at < now() - interval '24 hours'"
