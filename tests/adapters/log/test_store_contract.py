"""The contract of `domain.core.ports.Store`, proved for the log in Postgres and for the log in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from uuid import UUID, uuid4

import pytest

from adapters.log.event_store import EventStore
from domain.access.roles import Role
from domain.core.errors import Conflict, LostRace, NotFound
from domain.core.idempotency import IdempotentRequest, Recording, recording
from domain.people.individuals import Individual
from domain.people.users import User
from tests.support.doubles import MemoryStore
from tests.support.stores import a_store

AnyStore = MemoryStore | EventStore
OpenStore = Callable[[], AbstractAsyncContextManager[AnyStore]]


@asynccontextmanager
async def a_memory_store() -> AsyncIterator[AnyStore]:
    yield MemoryStore()


@pytest.fixture(params=["memory", "postgres"])
def open_store(request: pytest.FixtureRequest) -> OpenStore:
    if request.param == "memory":
        return a_memory_store
    return partial(a_store, request.getfixturevalue("database_url"))


def a_role(*holders: UUID) -> Role:
    role = Role.create(uuid4(), "org.admin", "Administrator")
    for holder in holders:
        role.grant(holder, live=True)
    return role


def a_user() -> User:
    return User.create(uuid4(), classification="customer", individual_id=uuid4())


async def test_get_returns_the_aggregate_as_its_events_made_it(open_store: OpenStore) -> None:
    async with open_store() as store:
        holder = uuid4()
        role = a_role(holder)
        await store.save(role)
        found = await store.get(Role, role.id)
        assert (found.holders, found.version, found.organization_id) == ({holder: True}, 2, role.organization_id)
        assert found is not role


async def test_an_unknown_stream_is_not_found(open_store: OpenStore) -> None:
    async with open_store() as store:
        assert await store.find(Role, uuid4()) is None
        assert await store.get_many(Role, [uuid4()]) == {}
        assert await store.find_each((Role, uuid4()), (User, uuid4())) == (None, None)
        with pytest.raises(NotFound):
            await store.get(Role, uuid4())


async def test_an_aggregate_of_another_kind_is_not_found(open_store: OpenStore) -> None:
    async with open_store() as store:
        role, user = a_role(), a_user()
        await store.save(role, user)
        assert await store.find(User, role.id) is None
        assert set(await store.get_many(Role, [role.id, user.id])) == {role.id}
        assert await store.find_each((User, role.id), (User, user.id), (Role, user.id)) == (None, user, None)


async def test_get_many_returns_known_aggregates_in_the_order_asked(open_store: OpenStore) -> None:
    async with open_store() as store:
        roles = [a_role(uuid4()) for _ in range(5)]
        await store.save(*roles)
        asked = [roles[3].id, uuid4(), roles[0].id, roles[4].id]
        found = await store.get_many(Role, asked)
        assert list(found) == [roles[3].id, roles[0].id, roles[4].id]
        assert [each.holders for each in found.values()] == [roles[index].holders for index in (3, 0, 4)]


async def test_kinds_with_streams_of_their_own_may_share_an_id(open_store: OpenStore) -> None:
    async with open_store() as store:
        user = a_user()
        await store.save(user, Individual.create(user.id, "user", user.id))
        found = await store.find_each((User, user.id), (Individual, user.id))
        assert [type(each) for each in found] == [User, Individual]


async def test_save_returns_the_position_of_the_last_event(open_store: OpenStore) -> None:
    async with open_store() as store:
        assert await store.save(a_role(), a_role(uuid4())) == 3
        assert await store.save(a_user()) == 4
        assert await store.head() == 4


async def test_saving_nothing_returns_the_head(open_store: OpenStore) -> None:
    async with open_store() as store:
        assert (await store.head(), await store.save()) == (0, 0)
        role = a_role()
        await store.save(role)
        assert await store.save(role) == 1


async def test_the_second_of_two_decisions_on_one_state_is_refused(open_store: OpenStore) -> None:
    async with open_store() as store:
        role = a_role()
        await store.save(role)
        first, second = await store.get(Role, role.id), await store.get(Role, role.id)
        first.grant(holder := uuid4(), live=True)
        second.grant(uuid4(), live=True)
        await store.save(first)
        with pytest.raises(LostRace):
            await store.save(second)
        assert (await store.get(Role, role.id)).holders == {holder: True}


async def test_a_stream_is_created_once(open_store: OpenStore) -> None:
    async with open_store() as store:
        user = a_user()
        await store.save(user)
        with pytest.raises(LostRace):
            await store.save(User.create(user.id, classification="customer", individual_id=uuid4()))


async def a_decision_on_an_outdated_user(store: AnyStore) -> tuple[Role, User]:
    """Return a role that was given to a user, and the user as they were before they were confirmed."""
    user, role = a_user(), a_role()
    await store.save(user, role)
    seen = await store.get(User, user.id)
    user.confirm()
    await store.save(user)
    role.grant(user.id, live=True)
    return role, seen


async def test_a_change_of_an_unchanged_aggregate_refuses_the_save(open_store: OpenStore) -> None:
    async with open_store() as store:
        role, seen = await a_decision_on_an_outdated_user(store)
        with pytest.raises(LostRace):
            await store.save(role, unchanged=[seen])
        assert (await store.get(Role, role.id)).holders == {}


async def test_an_outdated_decision_is_refused_among_other_saves(open_store: OpenStore) -> None:
    async with open_store() as store:
        role, seen = await a_decision_on_an_outdated_user(store)
        saves = [*(store.save(a_role()) for _ in range(5)), store.save(role, unchanged=[seen])]
        *others, refused = await asyncio.gather(*saves, return_exceptions=True)
        assert isinstance(refused, LostRace)
        assert sorted(map(str, others)) == [str(position) for position in range(4, 9)]


async def test_a_refused_save_leaves_no_event(open_store: OpenStore) -> None:
    async with open_store() as store:
        role, fresh = a_role(), a_role()
        await store.save(role)
        stale = await store.get(Role, role.id)
        role.grant(uuid4(), live=True)
        head = await store.save(role)
        stale.grant(uuid4(), live=True)
        with pytest.raises(LostRace):
            await store.save(fresh, stale)
        assert await store.head() == head
        assert await store.find(Role, fresh.id) is None


async def test_concurrent_saves_get_positions_without_gaps(open_store: OpenStore) -> None:
    async with open_store() as store:
        roles = [a_role(uuid4()) for _ in range(8)]
        positions = await asyncio.gather(*(store.save(role) for role in roles))
        assert sorted(positions) == [2, 4, 6, 8, 10, 12, 14, 16]


async def test_the_recording_gets_position_result_and_event_classes(open_store: OpenStore) -> None:
    made = uuid4()
    async with open_store() as store:
        with recording(Recording(IdempotentRequest(uuid4(), "key", b"fingerprint"))) as recorded:
            await store.save(a_role(), a_role(), result=made)
        assert (recorded.position, recorded.resource_id, recorded.kinds) == (2, str(made), {Role.Created})
        with recording(Recording()) as unchanged:
            await store.save()
        assert (unchanged.position, unchanged.resource_id, unchanged.kinds) == (2, None, set())


async def test_an_idempotency_key_belongs_to_one_request(open_store: OpenStore) -> None:
    user_id = uuid4()
    async with open_store() as store:
        with recording(Recording(IdempotentRequest(user_id, "key", b"first"))):
            await store.save(a_role())
            await store.save(a_role())
        with recording(Recording(IdempotentRequest(user_id, "key", b"second"))), pytest.raises(Conflict):
            await store.save(a_role())
        with recording(Recording(IdempotentRequest(uuid4(), "key", b"second"))):
            assert await store.save(a_role()) == 3


async def test_an_aggregate_with_a_snapshot_equals_its_events(open_store: OpenStore) -> None:
    async with open_store() as store:
        role = a_role(*(uuid4() for _ in range(150)))
        await store.save(role)
        if isinstance(store, EventStore):
            await asyncio.gather(*store._snapshotting)
        found = await store.get(Role, role.id)
        assert (found.holders, found.version, found.created_on) == (role.holders, 151, role.created_on)
        found.grant(uuid4(), live=False)
        await store.save(found)
        assert len((await store.get(Role, role.id)).holders) == 151
