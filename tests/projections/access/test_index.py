"""The index of individuals: it says what the tables say, of exactly the snapshot that it is asked in, or nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection

from adapters.log.event_store import EventStore
from domain.core.audited import Audited
from domain.groups.groups import system_group_id
from domain.groups.rosters import RosterEntry
from domain.people.individuals import Individual
from projections.access import index as access_index
from projections.access.authorization import AuthorizationProjection
from projections.access.index import AccessIndex
from projections.access.limits import LIMITS
from projections.access.pages import Slice
from projections.access.readable_individuals import accessible_individuals
from projections.core import replicators
from projections.people.users import UsersProjection
from tests.projections.access.test_authorization import a_group, a_user, an_organization, entry
from tests.support.stores import a_store
from tests.support.world.product import a_world
from workers.following.rebuild import rebuild

EVERYBODY = Slice(1_000, 0)


class Ward:
    """A group with patients, its leader, and a store for whatever happens to them."""

    def __init__(self, store: EventStore, connection: AsyncConnection, database_url: str) -> None:
        self.store = store
        self.connection = connection
        self.database_url = database_url
        self.clinic = an_organization()
        self.group, self.leader = a_group(self.clinic), a_user(self.clinic)
        self.patients = [Individual.create(uuid4(), "organization", self.clinic.id) for _ in range(5)]
        self.entries = [entry(self.group, "individual", each) for each in self.patients]

    async def begin(self) -> None:
        led = entry(self.group, "leader", self.leader)
        await replicators.register(self.connection, [UsersProjection()])
        await self.save(self.clinic, self.group, self.leader, led, *self.patients, *self.entries)

    async def save(self, *aggregates: Audited) -> None:
        """The read model of users, whom nothing here is about, is up to date at once."""
        await self.connection.execute("UPDATE projections SET position = %s", [await self.store.save(*aggregates)])

    @property
    def placed(self) -> list[UUID]:
        return sorted(each.subject_id for each in self.entries if each.present)

    async def leave(self, *entries: RosterEntry) -> None:
        for each in entries:
            each.remove()
        await self.save(*entries)

    async def listed(self, index: AccessIndex | None, connection: AsyncConnection | None = None) -> list[UUID]:
        cursor = (connection or self.connection).cursor()
        found = await accessible_individuals(cursor, self.leader.id, "write", EVERYBODY, index=index)
        assert found.total == len(found.ids)
        return found.ids

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Of now."""
        async with (
            await AsyncConnection.connect(self.database_url, autocommit=True) as connection,
            connection.transaction(),
        ):
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            await connection.execute("SELECT")
            yield connection


@asynccontextmanager
async def a_ward(database_url: str) -> AsyncIterator[Ward]:
    async with (
        a_store(database_url, projections=[AuthorizationProjection()]) as store,
        await AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        ward = Ward(store, connection, database_url)
        await ward.begin()
        yield ward


async def test_each_snapshot_gets_its_own_answer_from_any_sets(database_url: str) -> None:
    async with a_ward(database_url) as ward:
        index = await access_index.load(ward.connection)
        everybody = ward.placed
        async with ward.snapshot() as first:
            await ward.leave(ward.entries[0])
            async with ward.snapshot() as second:
                one_less = ward.placed
                await ward.leave(ward.entries[1])
                await index.renew_delta(ward.connection)  # younger than both snapshots
                assert await ward.listed(index, first) == everybody
                assert await ward.listed(index, second) == one_less
                assert await ward.listed(index) == ward.placed
                newer = await access_index.load(ward.connection)
                assert await newer.view(second.cursor()) is None
                assert await ward.listed(newer, second) == one_less


async def test_sets_serve_no_older_snapshot(database_url: str) -> None:
    async with a_ward(database_url) as ward, ward.snapshot() as first:
        ward.entries[0].remove()
        await ward.store.save(ward.entries[0])
        after_the_log = await access_index.load(ward.connection)
        assert await after_the_log.view(first.cursor()) is None
        async with ward.snapshot() as second:
            await ward.connection.execute("UPDATE projections SET position = position + 1")
            after_the_users = await access_index.load(ward.connection)
            assert await after_the_log.view(second.cursor()) is not None
            assert await after_the_users.view(second.cursor()) is None


async def test_an_individual_that_changes_twice_is_not_lost(database_url: str) -> None:
    async with a_ward(database_url) as ward:
        index = await access_index.load(ward.connection)
        for _ in range(3):
            ward.entries[2].remove()
            await ward.save(ward.entries[2])
            assert await ward.listed(index) == ward.placed
            await index.renew_delta(ward.connection)
            assert await ward.listed(index) == ward.placed
            ward.entries[2].add_again()
            await ward.save(ward.entries[2])
            assert await ward.listed(index) == ward.placed


async def test_with_too_many_changes_the_tables_answer(database_url: str) -> None:
    async with a_ward(database_url) as ward:
        index = await access_index.load(ward.connection)
        index.limits = LIMITS._replace(looked_up=2, outside_delta=1)
        await ward.leave(*ward.entries[:3])
        assert await index.view(ward.connection.cursor()) is None
        assert (index.needs_delta, index.needs_base) == (True, False)
        assert await ward.listed(index) == ward.placed
        await index.renew_delta(ward.connection)
        assert await index.view(ward.connection.cursor()) is not None
        assert index.needs_delta is False
        index.limits = index.limits._replace(behind=1)
        await ward.leave(*ward.entries[3:])
        assert await index.view(ward.connection.cursor()) is None
        assert index.needs_base is True
        assert await ward.listed(index) == ward.placed


async def test_an_individual_with_the_id_of_an_organization_is_separate(database_url: str) -> None:
    async with a_ward(database_url) as ward:
        index = await access_index.load(ward.connection)
        twin = Individual.create(ward.clinic.id, "organization", ward.clinic.id)
        await ward.save(twin, place := entry(ward.group, "individual", twin))
        view = await index.view(ward.connection.cursor())
        assert view is not None
        assert view.looked_up == [twin.id]
        assert twin.id in await ward.listed(index)
        await ward.leave(place)
        assert twin.id not in await ward.listed(index)


async def test_sets_of_tables_replaced_by_a_rebuild_are_not_used(database_url: str) -> None:
    async with a_world(database_url) as world:
        indexing = world.services.indexing
        indexing.min_individuals = 0
        clinic = await world.organization(open_=True)
        ann, patient = await world.provider(clinic), await world.patient(clinic)
        await indexing.renew()
        asked = {"user-id": str(ann.user_id), "access-query": ["individual::read"]}
        expected = sorted([str(ann.individual_id), str(patient.individual_id)])
        answer = await world.post("/v1/authz-get-accessible-resources/", asked, ann)
        assert answer["resource-ids"] == expected
        outdated = indexing.index()
        await rebuild(world.settings, ["authorization"], lambda _: None)
        assert (await world.post("/v1/authz-get-accessible-resources/", asked, ann))["resource-ids"] == expected
        assert outdated is not None
        assert outdated.needs_base
        await indexing.renew()
        async with world.pool.connection() as connection:
            index = indexing.index()
            assert index is not None
            assert await index.view(connection.cursor()) is not None
        assert (await world.post("/v1/authz-get-accessible-resources/", asked, ann))["resource-ids"] == expected


@pytest.mark.parametrize("way", ["sets", "one by one", "joined"])
async def test_filters_leave_the_same_in_every_way(database_url: str, way: str) -> None:
    """For an unlimited user, and for a user who has a whole organization and leads a group in it."""
    async with a_world(database_url) as world:
        if way == "joined":
            world.services.indexing.limits = LIMITS._replace(few=0)
        north = await world.organization()
        ann, bob, patient = await world.admin(north), await world.provider(north), await world.patient(north)
        placed, (free, left) = patient.individual_id, [await world.individual(north) for _ in range(2)]
        roster: dict[str, Any] = {"leader-ids": [str(ann.user_id)], "individual-ids": [str(placed)]}
        group = await world.group(north, "Group", **roster)
        await world.post(f"/v1/individual-groups/{group}/add-members/", {"user-ids": [str(bob.user_id)]}, world.system)
        closed = await world.group(north, "Closed", **{"individual-ids": [str(left)]})
        await world.client.delete(f"/v1/individual-groups/{closed}/", headers=world.system.bearer)
        await world.catch_up()
        if way == "sets":
            world.services.indexing.min_individuals = 0
            await world.services.indexing.renew()
        for filters, expected in (
            ({"group-id": group}, [placed]),
            ({"group-id": closed}, []),
            ({"group-id": system_group_id(north, "all_participants")}, [placed, free, left]),
            ({"group-id": system_group_id(north, "unassigned")}, [free, left]),
            ({"group-members-with-leader-id": ann.user_id}, [placed]),
            ({"group-members-with-leader-id": bob.user_id}, []),
            ({"exclude-owner-ids": north, "organization-id": north}, [placed]),
            ({"exclude-owner-ids": patient.user_id, "organization-id": north}, [free, left]),
        ):
            asked = {f"filter[{name}]": str(value) for name, value in filters.items()}
            for person in (world.system, ann):
                who = {"user-id": str(person.user_id), "operation": "read"}
                answer = await world.get("/v1/authz-individuals/", world.system, **who, **asked)
                assert answer["resource-ids"] == sorted(map(str, expected)), filters
                assert answer["meta"]["page[total]"] == len(expected)
