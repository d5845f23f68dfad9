"""Requests with an Idempotency-Key and what they were answered, for a day (ruling A6).

The event store writes a row beside the events; the answer is added when there is one. A lock on a connection of the
process's own says that a request is still running: Postgres gives it back when the process dies.
Answers hold personal values, so they are sealed under a key that takes the client's own key to derive.
"""

import asyncio
import contextlib
import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID

import psycopg
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from adapters.background import BackgroundTask
from adapters.connections import connect

CLEAN_EVERY = 600.0
NONCE = 12
DIGEST = 32

log = structlog.get_logger()


class Entry(NamedTuple):
    """What is known of a request: where it was recorded, and the answer if it got one."""

    fingerprint: bytes
    position: int
    answer: bytes | None


class Slot(NamedTuple):
    """A client's key as it is kept: a keyed hash, the seal of its answers, and its lock."""

    user_id: UUID
    key: str
    seal: bytes
    lock: int


class AnswerBook:
    """An async context manager; inside, it forgets what is older than a day. `secret` is the same for all processes."""

    def __init__(self, pool: AsyncConnectionPool, lock_url: str, secret: bytes) -> None:
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
        """Where answers to this user's requests with this key are kept."""
        scope = user_id.bytes + key.encode()
        lock = int.from_bytes(self._digest(b"lock", scope)[:8], "big", signed=True)
        return Slot(user_id, self._digest(b"key", scope).hex(), self._digest(b"seal", scope), lock)

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
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_FIND, [slot.user_id, slot.key], prepare=True)
            row = await cursor.fetchone()
            if row is None:
                return None
            fingerprint, position, answer, old = row
            if old:
                await connection.execute(_FORGET, [slot.user_id, slot.key])
                return None
        return Entry(fingerprint, position, None if answer is None else _opened(slot.seal, answer))

    async def remember(self, slot: Slot, entry: Entry) -> None:
        """Keep the answer, whether or not the request appended anything."""
        assert entry.answer is not None
        nonce = os.urandom(NONCE)
        sealed = nonce + AESGCM(slot.seal).encrypt(nonce, entry.answer, None)
        async with self._pool.connection() as connection:
            values = [slot.user_id, slot.key, entry.fingerprint, entry.position, sealed]
            await connection.execute(_REMEMBER, values, prepare=True)

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


def _opened(seal: bytes, sealed: bytes) -> bytes | None:
    """None when it is spoilt: the request is then answered again as one that was recorded and never answered."""
    try:
        return AESGCM(seal).decrypt(sealed[:NONCE], sealed[NONCE:], None)
    except InvalidTag:
        return None


_FIND = """
SELECT fingerprint, position, answer, recorded_at < now() - interval '24 hours'
FROM idempotency_keys WHERE user_id = %s AND key = %s
"""
_FORGET = "DELETE FROM idempotency_keys WHERE user_id = %s AND key = %s"
_REMEMBER = """
INSERT INTO idempotency_keys (user_id, key, fingerprint, position, answer) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (user_id, key) DO UPDATE SET answer = EXCLUDED.answer
WHERE idempotency_keys.fingerprint = EXCLUDED.fingerprint
"""
_CLEAN = "DELETE FROM idempotency_keys WHERE recorded_at < now() - interval '24 hours'"
