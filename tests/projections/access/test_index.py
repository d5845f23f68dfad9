"""The index of individuals: it says what the tables say, of exactly the snapshot that it is asked in, or nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import chain
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection, AsyncCursor
from pyroaring import BitMap

from adapters.log.codec import EventCodec
from adapters.log.event_store import EventStore
from adapters.log.reader import LogReader
from adapters.security.keyring import Keyring
from domain.core.audited import Audited
from domain.core.recorded import topics_of
from domain.groups.groups import system_group_id
from domain.groups.rosters import RosterEntry
from domain.people.individuals import Individual
from domain.people.users import User
from projections import registry
from projections.access import index as access_index
from projections.access.authorization import AuthorizationProjection
from projections.access.index import AccessIndex
from projections.access.limits import LIMITS
from projections.access.pages import Slice
from projections.access.readable_individuals import accessible_individuals
from projections.access.runs import Listed, Merged, Ranked, Run
from projections.access.sets import TABLES, Ranking
from projections.core import replicators
from projections.people.users import UsersProjection
from projections.sessions.sessions import SessionsProjection
from tests.projections.access.test_authorization import a_group, a_user, an_organization, entry
from tests.support.histories import BEGINNING, STEPS, History
from tests.support.stores import MASTER_KEY, a_pool, a_store
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
        indexing.least = 0
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
            world.services.indexing.least = 0
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


async def test_young_sets_from_lagging_users_are_replaced(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        indexing = world.services.indexing
        indexing.least = 0
        user = User.create(uuid4(), classification="customer", individual_id=None)
        mine = Individual.create(uuid4(), "user", user.id)
        await world.identity.store.save(user, mine)
        await world.catch_up()
        await indexing.renew()

        async def registered() -> list[str]:
            asked = {"user-id": str(world.system.user_id), "operation": "read", "filter[registered]": "true"}
            found: list[str] = (await world.get("/v1/authz-individuals/", world.system, **asked))["resource-ids"]
            return found

        assert str(mine.id) not in await registered()
        user.confirm()  # so that the log names them before and after the read model stops
        await world.identity.store.save(user)
        await world.catch_up()
        user.set_password("no hash")
        await world.identity.store.save(user)
        await indexing.renew_delta()
        await world.catch_up()
        assert str(mine.id) in await registered()


def test_runs_are_cut_like_lists() -> None:
    chance = Random(7)
    for _ in range(60):
        ids = sorted(UUID(int=chance.getrandbits(128)) for _ in range(chance.randint(0, 40)))
        ranked, listed, left_out = ([each for each in ids if chance.random() < 0.5] for _ in range(3))
        ranking = Ranking(b"".join(each.bytes for each in ids))
        first = sorted({*ranked} - {*left_out})
        second = sorted({*listed} - {*ranked, *left_out})
        ranks = BitMap([ids.index(each) for each in first])
        runs: list[tuple[Run, list[UUID]]] = [
            (Ranked(ranking, ranks), first),
            (Listed(second), second),
            (Merged(Ranked(ranking, ranks), Listed(second)), sorted([*first, *second])),
            (Merged(Listed([]), Merged(Listed(second), Ranked(ranking, ranks))), sorted([*first, *second])),
        ]
        for run, expected in runs:
            assert len(run) == len(expected)
            for offset in range(len(expected) + 2):
                for limit in (0, 1, 3, 100):
                    assert run.cut(offset, limit) == expected[offset : offset + limit]
            for each in ids:
                assert run.before(each) == len([other for other in expected if other < each])


async def test_every_event_names_the_individuals_it_changes(database_url: str) -> None:
    """For every class of events that the projections look at whose tables the sets are made from."""
    looked_at = {kind for source in access_index.SOURCES for kind in source.events or ()}
    seen: set[type[Any]] = set()
    inline = registry.inline(lambda kind, value: sha256(f"{kind}:{value}".encode()).digest())
    async with (
        a_store(database_url, projections=inline) as store,
        a_store(database_url, projections=[SessionsProjection()], log="sessions") as sessions,
        a_pool(database_url) as pool,
        await AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        appends = Watched(store)
        history, randomness = History(appends, sessions, rounds=0), Random(3)
        cursor = connection.cursor()
        before, head = await facts(cursor), 0
        users, reader = UsersProjection(), LogReader(EventCodec(Keyring(pool, MASTER_KEY)))
        steps = chain(BEGINNING * 3, (randomness.choice(STEPS) for _ in range(6_000)))
        for number, step in enumerate(steps):
            if looked_at <= seen and number > 100:
                break
            appends.kinds = set()
            await history.take([step])
            if not appends.kinds:
                continue
            upto = await store.head()
            await users.apply(cursor, (await reader.read(connection, head, upto, topics_of(users.events))).events)
            after = await facts(cursor)
            changed = {each for each in before.keys() | after.keys() if before.get(each) != after.get(each)}
            told = {each for each, _ in await access_index.changed_individuals(cursor, head, upto)}
            assert changed <= told, (step, appends.kinds)
            before, head = after, upto
            seen |= appends.kinds
    assert looked_at - seen == set(), "the history has to make every event that they look at"


class Watched:
    """A store that remembers which classes of events were saved last."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.kinds: set[type[Any]] = set()

    async def save(self, *aggregates: Audited) -> int:
        self.kinds = {type(event) for each in aggregates for event in each.pending_events}
        return await self._store.save(*aggregates)


async def facts(cursor: AsyncCursor) -> dict[UUID, str]:
    """What the sets hold of each individual."""
    await cursor.execute(
        """
        SELECT i.individual_id, concat_ws(' ', i.owner_id, u.registered, u.email_verified, u.phone_verified,
            u.account_type,
            (SELECT array_agg(organization_id ORDER BY 1) FROM individual_organizations o
             WHERE o.individual_id = i.individual_id),
            (SELECT array_agg((user_id, writes) ORDER BY 1) FROM individual_users s
             WHERE s.individual_id = i.individual_id),
            (SELECT array_agg(group_id ORDER BY 1) FROM group_individuals g WHERE g.individual_id = i.individual_id))
        FROM access_individuals i LEFT JOIN users u ON u.user_id = i.owner_id
        """
    )
    return dict(await cursor.fetchall())


def test_the_sets_are_made_from_tables_of_their_sources() -> None:
    owned = {table for source in access_index.SOURCES for table in source.tables}
    assert set(TABLES) <= owned
