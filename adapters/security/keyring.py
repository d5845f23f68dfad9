"""One data key per person, wrapped by the master key: destroying it erases the person from log and backups alike."""

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

from adapters.postgres.outages import patiently
from adapters.postgres.query_batcher import QueryBatcher
from domain.core.ports import Lookup

LOOKUP_SUBJECT = UUID(int=0)
"""The key of keyed hashes is kept like a person's, so that rotating the master key leaves the hashes as they are."""

FEW = 100
"""Whoever wants more keys than this does not hold up others with them."""

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


class Place(NamedTuple):
    """Where in a log a sealed value stands; it opens nowhere else (ruling O18).

    `topic` is the event's or the snapshot's; `field` the path to the value in it.
    """

    stream: UUID
    version: int
    topic: str
    field: str

    def __bytes__(self) -> bytes:
        """Return an unambiguous encoding: parts without a fixed length are separated by zeros."""
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
    """The key of one person's values: AES-256-GCM, random nonce; subject, key id and place as associated data."""

    __slots__ = ("_cipher", "_name")

    def __init__(self, subject: UUID, key_id: UUID, key: bytes) -> None:
        self._name = subject.bytes + key_id.bytes
        self._cipher = AESGCM(key)

    def seal(self, value: bytes, place: Place) -> bytes:
        """The value as it may stand at the place."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value, self._name + bytes(place))

    def open(self, sealed: bytes, place: Place) -> bytes:
        """The value. Raises InvalidTag or ValueError when it is damaged, or was sealed for another place."""
        return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._name + bytes(place))


class Keyring:
    """Keys by subject. Nothing is cached: a destroyed key is gone for the next reader."""

    def __init__(self, pool: AsyncConnectionPool, master_key: bytes) -> None:
        self._pool = pool
        self._master = AESGCM(master_key)
        self._together = QueryBatcher(self._keys_of_all)

    async def keys(self, subjects: Iterable[UUID]) -> dict[UUID, DataKey]:
        """The keys there are, in one query. Erased and unknown subjects are missing."""
        wanted = list(set(subjects))
        if not wanted:
            return {}
        if len(wanted) <= FEW:
            return await self._together.ask(wanted)
        return await patiently(self._pool, lambda connection: self._read(connection, wanted))

    async def keys_for_writing(self, subjects: Iterable[UUID]) -> dict[UUID, DataKey]:
        """As `keys`, with new ones for new subjects. An erased subject stays without one."""
        wanted = list(set(subjects))
        if not wanted:
            return {}

        async def read_or_make(connection: AsyncConnection) -> dict[UUID, DataKey]:
            found = await self._read(connection, wanted)
            missing = [subject for subject in wanted if subject not in found]
            if not missing:
                return found
            async with connection.transaction():
                await self._hold_master(connection)
                await connection.execute(_ADD, (missing, [self._new(subject) for subject in missing]))
            return found | await self._read(connection, missing)

        return await patiently(self._pool, read_or_make)

    async def _keys_of_all(self, wanted: Sequence[list[UUID]]) -> Sequence[dict[UUID, DataKey]]:
        subjects = list({subject for each in wanted for subject in each})
        found = await patiently(self._pool, lambda connection: self._read(connection, subjects))
        return [{subject: found[subject] for subject in each if subject in found} for each in wanted]

    async def destroyed(self, subjects: Iterable[UUID]) -> set[UUID]:
        """Return the subjects whose keys were destroyed. A key that is missing is not destroyed but damaged."""

        async def read(connection: AsyncConnection) -> set[UUID]:
            cursor = await connection.execute(_DESTROYED, (list(subjects),))
            return {subject for (subject,) in await cursor.fetchall()}

        return await patiently(self._pool, read)

    async def destroy(self, subject: UUID) -> None:
        """From now on no value of this person can be read, and none can be written."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO data_keys (subject, wrapped, destroyed_at) VALUES (%s, NULL, now())"
                " ON CONFLICT (subject) DO UPDATE SET wrapped = NULL, destroyed_at = now()",
                (subject,),
            )

    async def rotate(self, new_master_key: bytes) -> int:
        """Wrap every key anew under another master key; returns how many. Values and hashes stay as they are."""
        new_master = AESGCM(new_master_key)
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_ADD, ([LOOKUP_SUBJECT], [self._new(LOOKUP_SUBJECT)]))
            await connection.execute(_LOCK, (LOOKUP_SUBJECT,))
            cursor = await connection.execute(
                "SELECT subject, wrapped FROM data_keys WHERE wrapped IS NOT NULL FOR UPDATE"
            )
            rows = await cursor.fetchall()
            fresh = [_wrap(new_master, subject, self._unwrap(subject, wrapped)) for subject, wrapped in rows]
            await connection.execute(
                "UPDATE data_keys k SET wrapped = n.wrapped FROM unnest(%s::uuid[], %s::bytea[]) n(subject, wrapped)"
                " WHERE k.subject = n.subject",
                ([subject for subject, _ in rows], fresh),
            )
        self._master = new_master
        return len(rows)

    async def lookup(self) -> Lookup:
        """The keyed hash under which addresses and names are found again (HMAC-SHA-256)."""
        await self.keys_for_writing([LOOKUP_SUBJECT])
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT wrapped FROM data_keys WHERE subject = %s", (LOOKUP_SUBJECT,))
            row = await cursor.fetchone()
        assert row is not None
        key = self._unwrap(LOOKUP_SUBJECT, row[0])

        def lookup(kind: str, value: str) -> bytes:
            return hmac.new(key, f"{kind}\0{value}".encode(), hashlib.sha256).digest()

        return lookup

    async def _hold_master(self, connection: AsyncConnection) -> None:
        """Prevent a rotation of the master key until the transaction ends, and check that ours is in use.

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
