"""An append records the Idempotency-Key of its command."""

import asyncio
from contextlib import AbstractContextManager
from uuid import uuid4

import psycopg

from adapters.log.event_store import EventStore
from domain.access.roles import Role
from domain.core.idempotency import IdempotentRequest, Recording, recording
from tests.adapters.log.aggregates import a_role, positions
from tests.support.stores import a_store


def under(request: IdempotentRequest) -> AbstractContextManager[Recording]:
    return recording(Recording(request))


async def test_a_key_is_remembered_with_positions_of_the_identity_log_only(database_url: str) -> None:
    async with a_store(database_url, log="sessions") as sessions, a_store(database_url) as store:
        with under(IdempotentRequest(uuid4(), "key", b"fingerprint")):
            await store.save(a_role())
            position = await store.save(a_role())
            await sessions.save(a_role())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT position FROM idempotency_keys").fetchall() == [(position,)]


async def test_the_result_of_a_command_is_stored_with_its_key(database_url: str) -> None:
    made = uuid4()
    async with a_store(database_url) as store:
        with under(IdempotentRequest(uuid4(), "key", b"fingerprint", 201)) as recorded:
            await store.save(a_role(), a_role(), result=made)
            assert (recorded.position, recorded.resource_id, recorded.kinds) == (2, str(made), {Role.Created})
        with recording(Recording()) as unchanged:
            await store.save()
        assert (unchanged.position, unchanged.kinds) == (2, set())
    with psycopg.connect(database_url) as connection:
        kept = connection.execute("SELECT status, resource_id, position FROM idempotency_keys").fetchall()
    assert kept == [(201, str(made), 2)]


async def test_one_of_two_concurrent_commands_with_one_key_is_executed(database_url: str) -> None:
    """Also when both wait for the same batch."""
    user_id = uuid4()

    async def save_under_the_key(store: EventStore, fingerprint: bytes) -> int:
        with under(IdempotentRequest(user_id, "key", fingerprint)):
            return await store.save(a_role())

    async with a_store(database_url) as store:
        outcomes = await asyncio.gather(
            store.save(a_role()),  # keeps the writer busy
            *(save_under_the_key(store, fingerprint) for fingerprint in (b"first", b"second")),
            return_exceptions=True,
        )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "int", "int"]
    assert positions(database_url) == [1, 2]


async def test_each_command_of_a_batch_is_remembered_at_its_own_position(database_url: str) -> None:
    user_id, keys = uuid4(), [f"key-{number}" for number in range(5)]

    async def save_under(store: EventStore, key: str) -> int:
        with under(IdempotentRequest(user_id, key, b"fingerprint")):
            return await store.save(a_role(), a_role())

    async with a_store(database_url) as store:
        answered = await asyncio.gather(*(save_under(store, key) for key in keys))
    with psycopg.connect(database_url) as connection:
        remembered = connection.execute("SELECT key, position FROM idempotency_keys").fetchall()
    assert dict(remembered) == dict(zip(keys, answered, strict=True))
