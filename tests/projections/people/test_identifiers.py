"""Addresses, numbers and names, each once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest

from adapters.log.event_store import EventStore
from adapters.security.keyring import Keyring
from domain.people.login_names import parse_login_name
from domain.people.users import IdentifierTaken, User
from projections import registry
from projections.people.directory import InlineDirectory
from tests.support.stores import MASTER_KEY, a_pool


class Book(NamedTuple):
    store: EventStore
    directory: InlineDirectory


@asynccontextmanager
async def a_book(database_url: str) -> AsyncIterator[Book]:
    async with a_pool(database_url) as pool:
        keyring = Keyring(pool, MASTER_KEY)
        lookup = await keyring.lookup()
        async with EventStore(pool, "identity", registry.inline(lookup), keyring) as store:
            yield Book(store, InlineDirectory(pool, lookup))


def a_user(**identifiers: str) -> User:
    return User.create(uuid4(), classification="customer", individual_id=uuid4(), **identifiers)  # type: ignore[arg-type]


async def test_a_user_is_found_by_each_login_name(database_url: str) -> None:
    async with a_book(database_url) as book:
        user = a_user(email="Ann@People.test", phone="+16505550100", username="Ann")
        await book.store.save(user)
        for login in ("ann@people.TEST", "+1 650 555 0100", " ANN "):
            assert await book.directory.user_by_login(login) == user.id
        assert await book.directory.user_by_login("bob") is None


async def test_addresses_are_found_as_given(database_url: str) -> None:
    async with a_book(database_url) as book:
        ann, bob = a_user(email="ann@people.test"), a_user(email="bob@people.test", username="b")
        await book.store.save(ann, bob)
        asked = ["ANN@people.test", "ann@people.test", "nobody@people.test", "b"]
        assert await book.directory.users_by_email(asked) == {asked[0]: ann.id, asked[1]: ann.id}
        assert await book.directory.users_by_email([]) == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"email": "ann@people.test"}, {"email": "ANN@people.test"}),
        ({"phone": "+16505550100"}, {"phone": "+16505550100"}),
        ({"username": "ann"}, {"username": "ANN"}),
    ],
    ids=str,
)
async def test_a_login_name_of_another_user_cannot_be_taken(
    database_url: str, first: dict[str, str], second: dict[str, str]
) -> None:
    async with a_book(database_url) as book:
        await book.store.save(a_user(**first))
        with pytest.raises(IdentifierTaken):
            await book.store.save(a_user(**second))


async def test_a_user_name_like_an_address_finds_no_user(database_url: str) -> None:
    async with a_book(database_url) as book:
        planted = a_user(username="ann@people.test"), a_user(username="+16505550100")
        ann, bob = a_user(email="ann@people.test"), a_user(phone="+16505550100")
        await book.store.save(*planted, ann, bob)
        assert await book.directory.users_by_email(["ann@people.test"]) == {"ann@people.test": ann.id}
        assert await book.directory.user_by_login("ANN@people.test") == ann.id
        assert await book.directory.user_by_login("+1 650 555 0100") == bob.id


async def test_released_names_are_free_and_a_takeover_sets_new_ones(database_url: str) -> None:
    async with a_book(database_url) as book:
        planted = a_user(email="ann@people.test", username="ann@people.test", phone="+16505550100")
        other = a_user(email="other@people.test", username="bob")
        await book.store.save(planted, other)
        planted.release_login_names([parse_login_name("ANN@people.test")])
        other.take_over(email="ann@people.test", phone=None, username=None, password_hash=None, email_verified=True)
        await book.store.save(planted, other)
        found = [await book.directory.user_by_login(each) for each in ("ann@people.test", "+16505550100")]
        assert found == [other.id, planted.id]
        assert [await book.directory.user_by_login(each) for each in ("other@people.test", "bob")] == [None, None]


async def test_a_user_name_may_be_the_own_address(database_url: str) -> None:
    async with a_book(database_url) as book:
        user = a_user(email="ann@people.test", username="Ann@people.test")
        await book.store.save(user)
        assert await book.directory.users_by_email(["ann@people.test"]) == {"ann@people.test": user.id}


async def test_one_of_many_concurrent_users_gets_the_name(database_url: str) -> None:
    async with a_book(database_url) as book:
        users = [a_user(email="ann@people.test") for _ in range(8)]
        outcomes = await asyncio.gather(*(book.store.save(user) for user in users), return_exceptions=True)
        won = [user.id for user, outcome in zip(users, outcomes, strict=True) if isinstance(outcome, int)]
        assert len(won) == 1
        assert sum(isinstance(outcome, IdentifierTaken) for outcome in outcomes) == 7
        assert await book.directory.user_by_login("ann@people.test") == won[0]
        found = await book.store.get_many(User, [user.id for user in users])
        assert list(found) == won


async def test_services_sign_in_with_nothing(database_url: str) -> None:
    async with a_book(database_url) as book:
        service = User.create(
            uuid4(), kind="service", classification="customer", individual_id=None, username="care/drow"
        )
        await book.store.save(service)
        assert await book.directory.user_by_login("care/drow") is None


async def test_only_hashes_are_kept(database_url: str) -> None:
    async with a_book(database_url) as book, a_pool(database_url) as pool:
        await book.store.save(a_user(email="ann@people.test"))
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT i::text FROM user_identifiers i")
            ((row,),) = await cursor.fetchall()
        assert "ann" not in row
        assert isinstance((await book.directory.user_by_login("ann@people.test")), UUID)
