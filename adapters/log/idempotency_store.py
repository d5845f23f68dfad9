"""The idempotency store: the results of requests with an Idempotency-Key, kept for a day (ruling A6).

The event store writes a row with the events of a command; this class writes the row of a command without events. While
a request runs, a session lock marks its key. Postgres releases the lock when the process dies.
"""

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, Self
from uuid import UUID

import psycopg
import structlog
from psycopg import AsyncConnection, AsyncCursor

from adapters.background import BackgroundTask
from adapters.postgres.connections import Pool, connect
from domain.core.idempotency import IdempotentRequest

CLEAN_INTERVAL = 600.0  # seconds

log = structlog.get_logger()


class Entry(NamedTuple):
    """The result of a request: the status of its answer, the id of its resource, and its position in the log."""

    fingerprint: bytes
    status: int
    resource_id: str | None
    position: int


class Slot(NamedTuple):
    """A client's key as it is stored, a keyed hash, and the number of its lock."""

    user_id: UUID
    key: str
    lock: int


class IdempotencyStore:
    """Stores results, and deletes old ones while its `with` block runs. `secret` is the same in all processes."""

    def __init__(self, pool: Pool, lock_url: str, secret: bytes) -> None:
        self._pool = pool
        self._lock_url = lock_url
        self._secret = hmac.digest(secret, b"rollbook: answers to idempotent requests", hashlib.sha256)
        self._connection: AsyncConnection | None = None
        self._connecting = asyncio.Lock()
        self._running: set[int] = set()
        self._stopping = asyncio.Event()
        self._cleaner = BackgroundTask("idempotency-store", self._clean_repeatedly)

    async def __aenter__(self) -> Self:
        self._cleaner.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()  # instead of a cancellation, which psycopg may turn into an error
        await self._cleaner.stop()
        if self._connection is not None:
            await self._connection.close()

    def slot(self, user_id: UUID, key: str) -> Slot:
        """Return the slot of this user's requests with this key."""
        scope = user_id.bytes + key.encode()
        lock = int.from_bytes(self._digest(b"lock", scope)[:8], "big", signed=True)
        return Slot(user_id, self._digest(b"key", scope).hex(), lock)

    def fingerprint(self, *parts: bytes) -> bytes:
        """Return a keyed hash of the parts of a request, by which requests with one key are compared."""
        return self._digest(b"fingerprint", *(hashlib.sha256(part).digest() for part in parts))

    @asynccontextmanager
    async def running(self, slot: Slot) -> AsyncIterator[bool]:
        """Mark the key as running, and yield True; yield False if another request with this key is running anywhere."""
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
        """Return the stored result of a request, unless it is older than a day. Call it inside `running`."""

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
        """Store the result of a command without events, for which the event store writes nothing."""
        values = [request.user_id, request.key, request.fingerprint, request.status, resource_id, position]
        await self._pool.ask(lambda cursor: cursor.execute(_REMEMBER, values, prepare=True))

    async def clean(self) -> int:
        """Delete results that are older than a day; return their number."""
        async with self._pool.connection() as connection:
            return (await connection.execute(_CLEAN)).rowcount

    def _digest(self, purpose: bytes, *parts: bytes) -> bytes:
        return hmac.digest(self._secret, b"\0".join([purpose, *parts]), hashlib.sha256)

    async def _lock(self, lock: int) -> AsyncConnection | None:
        """Take the lock and return its connection; return None if another process holds it."""
        connection = await self._lock_connection()
        try:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        except psycopg.OperationalError:  # the connection was lost while it was idle
            await connection.close()
            connection = await self._lock_connection()
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        return connection if await cursor.fetchone() == (True,) else None

    async def _lock_connection(self) -> AsyncConnection:
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                self._connection = await connect(self._lock_url, application_name="rollbook-idempotency")
            return self._connection

    async def _clean_repeatedly(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.clean()
            except psycopg.Error as error:
                log.warning("idempotency-store-not-cleaned", reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), CLEAN_INTERVAL)


async def _unlock(connection: AsyncConnection, lock: int) -> None:
    """Release the lock. If the connection is lost, Postgres has released it."""
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
