"""The sets of the index are made from every event that changes them."""

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
from domain.people.individuals import Individual
from domain.people.users import User
from projections import registry
from projections.access import index as access_index
from projections.access.runs import Listed, Merged, Ranked, Run
from projections.access.sets import TABLES, Ranking
from projections.people.users import UsersProjection
from projections.sessions.sessions import SessionsProjection
from tests.support.histories import BEGINNING, STEPS, History
from tests.support.stores import MASTER_KEY, a_pool, a_store
from tests.support.world.product import a_world

pytestmark = pytest.mark.slow


async def test_young_sets_from_lagging_users_are_replaced(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        indexing = world.services.indexing
        indexing.min_individuals = 0
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
            (SELECT array_agg(organization_id ORDER BY organization_id) FROM individual_organizations o
             WHERE o.individual_id = i.individual_id),
            (SELECT array_agg((user_id, writes) ORDER BY user_id) FROM individual_users s
             WHERE s.individual_id = i.individual_id),
            (SELECT array_agg(group_id ORDER BY group_id) FROM group_individuals g
             WHERE g.individual_id = i.individual_id))
        FROM access_individuals i LEFT JOIN users u ON u.user_id = i.owner_id
        """
    )
    return dict(await cursor.fetchall())


def test_the_sets_are_made_from_tables_of_their_sources() -> None:
    owned = {table for source in access_index.SOURCES for table in source.tables}
    assert set(TABLES) <= owned
