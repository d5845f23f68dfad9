"""Keys of persons: sealing, tampering, destroying, and a new master key."""

import asyncio
import os
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from cryptography.exceptions import InvalidTag

from adapters.security.keyring import DataKey, Keyring, ValueLocation, WrongMasterKey
from tests.support.stores import MASTER_KEY, a_pool, waits_for_a_lock

OTHER_MASTER_KEY = bytes(reversed(range(32)))


PLACE = ValueLocation(uuid4(), 1, "user.created", "email")


def a_key() -> DataKey:
    return DataKey(uuid4(), uuid4(), os.urandom(32))


def test_a_sealed_value_opens_again_and_is_never_sealed_alike() -> None:
    key = a_key()
    first, second = key.seal(b"Ada Lovelace", PLACE), key.seal(b"Ada Lovelace", PLACE)
    assert key.open(first, PLACE) == key.open(second, PLACE) == b"Ada Lovelace"
    assert first != second
    assert b"Ada" not in first


@pytest.mark.parametrize("place", [0, 11, 12, -1])
def test_a_changed_byte_is_noticed_wherever_it_stands(place: int) -> None:
    key = a_key()
    sealed = bytearray(key.seal(b"Ada Lovelace", PLACE))
    sealed[place] ^= 1
    with pytest.raises(InvalidTag):
        key.open(bytes(sealed), PLACE)


def test_a_value_moved_to_another_person_does_not_open() -> None:
    key, key_id, subject = os.urandom(32), uuid4(), uuid4()
    sealed = DataKey(subject, key_id, key).seal(b"Ada Lovelace", PLACE)
    for other_subject, other_id in ((uuid4(), key_id), (subject, uuid4())):
        with pytest.raises(InvalidTag):
            DataKey(other_subject, other_id, key).open(sealed, PLACE)


@pytest.mark.parametrize(
    "elsewhere", [{"stream": UUID(int=7)}, {"version": 2}, {"topic": "user.created-"}, {"field": "phone"}], ids=str
)
def test_a_value_does_not_open_at_another_place(elsewhere: dict[str, Any]) -> None:
    key = a_key()
    sealed = key.seal(b"Ada Lovelace", PLACE)
    with pytest.raises(InvalidTag):
        key.open(sealed, PLACE._replace(**elsewhere))


async def test_each_person_gets_one_key_however_many_ask_at_once(database_url: str) -> None:
    subject = uuid4()
    async with a_pool(database_url) as pool, a_pool(database_url) as other_pool:
        here, there = Keyring(pool, MASTER_KEY), Keyring(other_pool, MASTER_KEY)
        sealed = (await here.keys_for_writing([subject]))[subject].seal(b"Ada", PLACE)
        assert (await there.keys_for_writing([subject]))[subject].open(sealed, PLACE) == b"Ada"
        assert (await there.keys([subject, uuid4()])).keys() == {subject}


async def test_keys_are_wrapped_in_the_database(database_url: str) -> None:
    subject = uuid4()
    async with a_pool(database_url) as pool:
        keyring = Keyring(pool, MASTER_KEY)
        sealed = (await keyring.keys_for_writing([subject]))[subject].seal(b"Ada", PLACE)
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT wrapped, key_id FROM data_keys WHERE subject = %s", [subject]).fetchone()
    assert row is not None
    with pytest.raises(InvalidTag):
        DataKey(subject, row[1], row[0][:32]).open(sealed, PLACE)


async def test_a_destroyed_key_is_gone_for_readers_and_writers(database_url: str) -> None:
    subject, unknown = uuid4(), uuid4()
    async with a_pool(database_url) as pool:
        keyring = Keyring(pool, MASTER_KEY)
        await keyring.keys_for_writing([subject])
        await keyring.destroy(subject)
        await keyring.destroy(unknown)
        assert await keyring.keys([subject, unknown]) == {}
        assert await keyring.destroyed([subject, unknown, uuid4()]) == {subject, unknown}
        assert await keyring.keys_for_writing([subject, unknown]) == {}
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT wrapped, destroyed_at IS NOT NULL FROM data_keys WHERE subject = ANY(%s)", [[subject, unknown]]
        ).fetchall()
    assert rows == [(None, True), (None, True)]


async def test_a_new_master_key_opens_values_sealed_before(database_url: str) -> None:
    subject, erased = uuid4(), uuid4()
    async with a_pool(database_url) as pool:
        keyring = Keyring(pool, MASTER_KEY)
        sealed = (await keyring.keys_for_writing([subject, erased]))[subject].seal(b"Ada", PLACE)
        await keyring.destroy(erased)
        hashed = (await keyring.lookup())("login", "ada@example.org")

        assert await keyring.rotate(OTHER_MASTER_KEY) == 2  # the subject's, and that of the hashes
        for rotated in (keyring, Keyring(pool, OTHER_MASTER_KEY)):
            assert (await rotated.keys([subject]))[subject].open(sealed, PLACE) == b"Ada"
            assert (await rotated.lookup())("login", "ada@example.org") == hashed
            assert await rotated.keys([erased]) == {}


async def test_a_rotation_waits_for_keys_that_are_being_made(database_url: str) -> None:
    async with a_pool(database_url) as pool, pool.connection() as making:
        async with making.transaction():
            keyring = Keyring(pool, MASTER_KEY)
            await keyring._lock_master_key(making)
            rotating = asyncio.create_task(Keyring(pool, MASTER_KEY).rotate(OTHER_MASTER_KEY))
            await waits_for_a_lock(database_url)
            await making.execute(
                "INSERT INTO data_keys (subject, wrapped) VALUES (%s, %s)", (late := uuid4(), keyring._new(late))
            )
        assert await rotating == 2
        assert (await Keyring(pool, OTHER_MASTER_KEY).keys([late])).keys() == {late}


async def test_the_old_master_key_opens_nothing_any_more(database_url: str) -> None:
    subject = uuid4()
    async with a_pool(database_url) as pool:
        old = Keyring(pool, MASTER_KEY)
        await old.keys_for_writing([subject])
        await old.lookup()
        await Keyring(pool, MASTER_KEY).rotate(OTHER_MASTER_KEY)
        with pytest.raises(WrongMasterKey):
            await old.keys([subject])
        with pytest.raises(WrongMasterKey):
            await old.lookup()
        with pytest.raises(WrongMasterKey):
            await old.keys_for_writing([uuid4()])  # a process that has not heard of it makes no key that is lost
        with pytest.raises(WrongMasterKey):
            await old.rotate(bytes(32))
        assert (await Keyring(pool, OTHER_MASTER_KEY).keys([subject])).keys() == {subject}


async def test_hashes_differ_by_kind_and_value_and_need_the_key(database_url: str) -> None:
    async with a_pool(database_url) as pool:
        lookup = await Keyring(pool, MASTER_KEY).lookup()
        again = await Keyring(pool, MASTER_KEY).lookup()
    assert lookup("login", "ada") == again("login", "ada")
    assert len({lookup("login", "ada"), lookup("login", "adb"), lookup("code", "ada"), lookup("logina", "da")}) == 4
