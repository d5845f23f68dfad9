"""The log when connections are cut, the database goes away and writers are killed: nothing lost, nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import uuid4

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.log.event_store import EventStore
from adapters.security.keyring import Keyring
from domain.access.roles import Role
from domain.core.errors import LostRace, Unavailable
from tests.support.proxy import Cut, Proxy, a_proxy
from tests.support.stores import MASTER_KEY, a_store

pytestmark = pytest.mark.slow

ROWS = "SELECT originator_id, originator_version, notification_id FROM events ORDER BY notification_id"


class Reached(NamedTuple):
    store: EventStore
    proxy: Proxy
    database_url: str

    def log(self) -> dict[int, object]:
        """Streams by position, read past the proxy; each holds one event."""
        with psycopg.connect(self.database_url) as connection:
            rows = connection.execute(ROWS).fetchall()
        assert {version for _, version, _ in rows} <= {1}
        return {position: stream for stream, _, position in rows}


@asynccontextmanager
async def a_store_behind_a_proxy(database_url: str, wait: float = 20.0) -> AsyncIterator[Reached]:
    async with a_proxy(database_url) as proxy, a_store(proxy.dsn, wait=wait) as store:
        await store.save(a_role())
        yield Reached(store, proxy, database_url)


def a_role() -> Role:
    return Role.create(uuid4(), "org.admin", "org.admin")


@pytest.mark.parametrize("cut", Cut)
async def test_a_command_cut_at_its_commit_is_recorded_once(database_url: str, cut: Cut) -> None:
    async with a_store_behind_a_proxy(database_url) as at:
        at.proxy.cut = cut
        role = a_role()
        assert await at.store.save(role) == 2
        assert at.proxy.cuts == 1
        assert at.log()[2] == role.id
        assert len(at.log()) == 2
        assert await at.store.save(a_role()) == 3


@pytest.mark.parametrize("cut", Cut)
async def test_commands_of_a_batch_cut_at_its_commit_get_their_positions(database_url: str, cut: Cut) -> None:
    async with a_store_behind_a_proxy(database_url) as at:
        at.proxy.cut = cut
        roles = [a_role() for _ in range(40)]
        positions = await asyncio.gather(*(at.store.save(role) for role in roles))
        assert at.proxy.cuts == 1
        log = at.log()
        assert [log[position] for position in positions] == [role.id for role in roles]
        assert sorted(log) == list(range(1, 42))


@pytest.mark.parametrize("cut", Cut)
async def test_a_command_gets_the_position_of_its_last_event(database_url: str, cut: Cut) -> None:
    async with a_store_behind_a_proxy(database_url) as at:
        at.proxy.cut = cut
        role, other = a_role(), a_role()
        for _ in range(3):
            role.grant(uuid4(), live=True)
        assert await at.store.save(other, role) == 6
        assert await at.store.head() == 6


async def test_cut_again_and_again_it_is_still_recorded_once(database_url: str) -> None:
    async with a_store_behind_a_proxy(database_url) as at:
        for number, cut in enumerate([Cut.AFTER, Cut.BEFORE, Cut.LATE, Cut.BEFORE], start=2):
            at.proxy.cut = cut
            assert await at.store.save(a_role()) == number
            assert at.proxy.cuts == number - 1
        assert sorted(at.log()) == [1, 2, 3, 4, 5]


async def decided_twice(store: EventStore, rival_store: EventStore) -> tuple[Role, Role]:
    """A role after two decisions on the same state, of which one can be saved."""
    role = a_role()
    await store.save(role)
    rival = await rival_store.get(Role, role.id)
    for each in (role, rival):
        each.grant(uuid4(), live=True)
    return role, rival


async def test_a_real_rival_still_wins_when_the_connection_is_cut(database_url: str) -> None:
    """What is found under the command's own streams counts as its own only if it is."""
    async with a_store_behind_a_proxy(database_url) as at, a_store(database_url) as rival_store:
        role, rival = await decided_twice(at.store, rival_store)
        at.proxy.cut = Cut.BEFORE
        saving = asyncio.create_task(at.store.save(role))
        await at.proxy.was_cut.wait()
        outcomes = await asyncio.gather(saving, rival_store.save(rival), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LostRace", "int"]


async def test_a_conflict_during_an_outage_fails_no_other_command(database_url: str) -> None:
    async with a_store_behind_a_proxy(database_url) as at, a_store(database_url) as rival_store:
        role, rival = await decided_twice(at.store, rival_store)
        neighbours = [a_role() for _ in range(6)]
        at.proxy.refuse()
        saving = asyncio.gather(
            *(at.store.save(each) for each in (*neighbours[:3], role, *neighbours[3:])), return_exceptions=True
        )
        assert await rival_store.save(rival) == 3
        at.proxy.admit()
        outcomes = await asyncio.wait_for(saving, 10)
        assert type(outcomes.pop(3)) is LostRace
        assert set(outcomes) == set(range(4, 10))
        assert await at.store.head() == 9


async def test_commands_wait_while_the_database_is_down(database_url: str) -> None:
    async with a_store_behind_a_proxy(database_url) as at:
        at.proxy.refuse()
        roles = [a_role() for _ in range(20)]
        saving = asyncio.gather(*(at.store.save(role) for role in roles))
        await asyncio.sleep(3)
        assert not saving.done()
        at.proxy.admit()
        positions = await asyncio.wait_for(saving, 3)
        log = at.log()
        assert [log[position] for position in positions] == [role.id for role in roles]


async def test_a_command_that_reads_first_waits_too(database_url: str) -> None:
    async with a_store_behind_a_proxy(database_url) as at:
        role = a_role()
        await at.store.save(role)
        at.proxy.refuse()
        reading = asyncio.gather(at.store.get(Role, role.id), at.store.head())
        await asyncio.sleep(0.2)
        at.proxy.admit()
        found, head = await asyncio.wait_for(reading, 10)
        assert (found.id, head) == (role.id, 2)


async def test_after_the_bound_commands_are_refused_and_later_ones_work(database_url: str) -> None:
    async with a_store_behind_a_proxy(database_url, wait=1.0) as at:
        at.proxy.refuse()
        outcomes = await asyncio.wait_for(
            asyncio.gather(*(at.store.save(a_role()) for _ in range(20)), return_exceptions=True), 4
        )
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        with pytest.raises(Unavailable):
            await at.store.get(Role, uuid4())
        assert list(at.log()) == [1]
        at.proxy.admit()
        assert await at.store.save(a_role()) == 2


async def test_a_read_waits_no_longer_than_the_pool_allows() -> None:
    async with AsyncConnectionPool("host=/nowhere", open=False, timeout=1.0) as pool, asyncio.timeout(1.8):
        with pytest.raises(Unavailable):
            await Keyring(pool, MASTER_KEY).keys([uuid4()])


async def test_a_store_stops_although_the_database_is_down(database_url: str) -> None:
    async with a_proxy(database_url) as proxy:
        async with a_store(proxy.dsn, wait=1.0) as store:
            await store.save(a_role())
            proxy.refuse()
            saving = asyncio.create_task(store.save(a_role()))
            await asyncio.sleep(0)
        assert isinstance((await asyncio.gather(saving, return_exceptions=True))[0], Unavailable)
