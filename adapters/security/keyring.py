"""One data key per person, wrapped by the master key. Destroying it makes the person's values in the log unreadable."""

import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.outages import retry_in_outage
from adapters.postgres.query_batcher import QueryBatcher
from domain.core.ports import Lookup

LOOKUP_SUBJECT = UUID(int=0)
"""The subject of the key of keyed hashes. Rotating the master key wraps this key too, so hashes do not change."""

MAX_BATCHED = 100
"""A caller who needs more keys than this reads them by a query of their own, so as not to delay other callers."""

_NONCE = 12

_ADD = (
    "INSERT INTO data_keys (subject, wrapped) SELECT * FROM unnest(%s::uuid[], %s::bytea[])"
    " ON CONFLICT (subject) DO NOTHING"
)
_DESTROYED = "SELECT subject FROM data_keys WHERE subject = ANY(%s) AND wrapped IS NULL AND destroyed_at IS NOT NULL"
_SHARE = "SELECT wrapped FROM data_keys WHERE subject = %s FOR SHARE"
_LOCK = "SELECT FROM data_keys WHERE subject = %s FOR UPDATE"


class WrongMasterKey(Exception):
    """The master key of the settings does not open this database's keys."""

    def __init__(self) -> None:
        super().__init__(
            "ROLLBOOK_MASTER_KEY does not open the keys in this database; was `rollbook rotate-master-key` interrupted?"
        )


class ValueLocation(NamedTuple):
    """The location of an encrypted value in a log, the only one at which it can be decrypted (ruling O18).

    `topic` is that of the event or the snapshot, `field` the path to the value in it.
    """

    stream: UUID
    version: int
    topic: str
    field: str

    def __bytes__(self) -> bytes:
        """Return an unambiguous encoding: zeros separate parts without a fixed length."""
        return b"".join(
            [
                self.stream.bytes,
                self.version.to_bytes(8, "big", signed=True),
                self.topic.encode(),
                b"\0",
                self.field.encode(),
            ]
        )


class DataKey:
    """Encrypts one person's values by AES-256-GCM with a random nonce; authenticates subject, key id and location."""

    __slots__ = ("_cipher", "_name")

    def __init__(self, subject: UUID, key_id: UUID, key: bytes) -> None:
        self._name = subject.bytes + key_id.bytes
        self._cipher = AESGCM(key)

    def seal(self, value: bytes, location: ValueLocation) -> bytes:
        """Return the value, encrypted for its location."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value, self._name + bytes(location))

    def open(self, sealed: bytes, location: ValueLocation) -> bytes:
        """Return the decrypted value. Raises InvalidTag or ValueError if it is damaged or from another location."""
        return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._name + bytes(location))


class Keyring:
    """The data keys by subject. They are not cached, so a destroyed key takes effect at the next read."""

    def __init__(self, pool: AsyncConnectionPool, master_key: bytes) -> None:
        self._pool = pool
        self._master = AESGCM(master_key)
        self._batcher = QueryBatcher(self._keys_of_all)

    async def keys(self, subjects: Iterable[UUID]) -> dict[UUID, DataKey]:
        """Return the keys by one query, without those of erased and unknown subjects."""
        distinct = list(set(subjects))
        if not distinct:
            return {}
        if len(distinct) <= MAX_BATCHED:
            return await self._batcher.ask(distinct)
        return await retry_in_outage(self._pool, lambda connection: self._read(connection, distinct))

    async def keys_for_writing(self, subjects: Iterable[UUID]) -> dict[UUID, DataKey]:
        """Return the keys, and create those of new subjects. Erased subjects have none."""
        distinct = list(set(subjects))
        if not distinct:
            return {}

        async def read_or_create(connection: AsyncConnection) -> dict[UUID, DataKey]:
            keys = await self._read(connection, distinct)
            missing = [subject for subject in distinct if subject not in keys]
            if not missing:
                return keys
            async with connection.transaction():
                await self._lock_master_key(connection)
                await connection.execute(_ADD, (missing, [self._new(subject) for subject in missing]))
            return keys | await self._read(connection, missing)

        return await retry_in_outage(self._pool, read_or_create)

    async def _keys_of_all(self, batch: Sequence[list[UUID]]) -> Sequence[dict[UUID, DataKey]]:
        distinct = list({subject for subjects in batch for subject in subjects})
        keys = await retry_in_outage(self._pool, lambda connection: self._read(connection, distinct))
        return [{subject: keys[subject] for subject in subjects if subject in keys} for subjects in batch]

    async def destroyed(self, subjects: Iterable[UUID]) -> set[UUID]:
        """Return the subjects whose keys were destroyed. A key that is missing is not destroyed but damaged."""

        async def read(connection: AsyncConnection) -> set[UUID]:
            cursor = await connection.execute(_DESTROYED, (list(subjects),))
            return {subject for (subject,) in await cursor.fetchall()}

        return await retry_in_outage(self._pool, read)

    async def destroy(self, subject: UUID) -> None:
        """Destroy the key, so that no value of this person can be read or written any more."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO data_keys (subject, wrapped, destroyed_at) VALUES (%s, NULL, now())"
                " ON CONFLICT (subject) DO UPDATE SET wrapped = NULL, destroyed_at = now()",
                (subject,),
            )

    async def rotate(self, new_master_key: bytes) -> int:
        """Wrap every key under another master key; return their number. Encrypted values and hashes do not change."""
        new_master = AESGCM(new_master_key)
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_ADD, ([LOOKUP_SUBJECT], [self._new(LOOKUP_SUBJECT)]))
            await connection.execute(_LOCK, (LOOKUP_SUBJECT,))
            cursor = await connection.execute(
                "SELECT subject, wrapped FROM data_keys WHERE wrapped IS NOT NULL FOR UPDATE"
            )
            rows = await cursor.fetchall()
            rewrapped = [_wrap(new_master, subject, self._unwrap(subject, wrapped)) for subject, wrapped in rows]
            await connection.execute(
                "UPDATE data_keys k SET wrapped = n.wrapped FROM unnest(%s::uuid[], %s::bytea[]) n(subject, wrapped)"
                " WHERE k.subject = n.subject",
                ([subject for subject, _ in rows], rewrapped),
            )
        self._master = new_master
        return len(rows)

    async def lookup(self) -> Lookup:
        """Return the keyed hash (HMAC-SHA-256) by which addresses and names are looked up."""
        await self.keys_for_writing([LOOKUP_SUBJECT])
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT wrapped FROM data_keys WHERE subject = %s", (LOOKUP_SUBJECT,))
            row = await cursor.fetchone()
        assert row is not None
        key = self._unwrap(LOOKUP_SUBJECT, row[0])

        def lookup(kind: str, value: str) -> bytes:
            return hmac.new(key, f"{kind}\0{value}".encode(), hashlib.sha256).digest()

        return lookup

    async def _lock_master_key(self, connection: AsyncConnection) -> None:
        """Prevent a rotation of the master key until the transaction ends, and check that our key is the current one.

        Otherwise a process that missed a rotation would create keys that cannot be opened later.
        """
        await connection.execute(_ADD, ([LOOKUP_SUBJECT], [self._new(LOOKUP_SUBJECT)]))
        cursor = await connection.execute(_SHARE, (LOOKUP_SUBJECT,))
        row = await cursor.fetchone()
        assert row is not None
        self._unwrap(LOOKUP_SUBJECT, row[0])

    async def _read(self, connection: AsyncConnection, subjects: list[UUID]) -> dict[UUID, DataKey]:
        cursor = await connection.execute(
            "SELECT subject, key_id, wrapped FROM data_keys WHERE subject = ANY(%s) AND wrapped IS NOT NULL",
            (subjects,),
        )
        return {
            subject: DataKey(subject, key_id, self._unwrap(subject, wrapped))
            for subject, key_id, wrapped in await cursor.fetchall()
        }

    def _new(self, subject: UUID) -> bytes:
        return _wrap(self._master, subject, AESGCM.generate_key(256))

    def _unwrap(self, subject: UUID, wrapped: bytes) -> bytes:
        try:
            return self._master.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], subject.bytes)
        except InvalidTag:
            raise WrongMasterKey from None


def _wrap(master: AESGCM, subject: UUID, key: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + master.encrypt(nonce, key, subject.bytes)
