"""The authorization tables: what a batch leaves in them, in whatever pieces it comes, and what it stamps."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from domain.core.audited import Audited
from domain.core.recorded import Recorded
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry
from domain.groups.trees import GroupTree
from domain.organizations.organizations import Organization
from domain.people.individuals import Individual
from domain.people.users import User
from projections.access.authorization import AuthorizationProjection
from projections.access.status import access_status
from tests.authorization.random_worlds import COMMANDS, RandomWorld

START = datetime(2026, 1, 1, tzinfo=UTC)


class Log:
    """Events of aggregates, one second after the other, applied as the append applies them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.position = 0

    async def save(self, *aggregates: Audited) -> None:
        """One append."""
        await self.apply(self.recorded(*aggregates))

    async def apply(self, events: Sequence[Recorded]) -> None:
        async with self.connection.pipeline(), self.connection.transaction():
            await AuthorizationProjection().apply(self.connection.cursor(), events)

    def recorded(self, *aggregates: Audited) -> list[Recorded]:
        events = [event for aggregate in aggregates for event in aggregate.collect_events()]
        return [self._recorded(event) for event in events]

    def _recorded(self, event: Any) -> Recorded:
        self.position += 1
        return Recorded(self.position, replace(event, timestamp=self.now))

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.position)

    async def rows(self, query: str, *parameters: Any) -> list[Any]:
        cursor = await self.connection.execute(query.encode(), parameters)
        return await cursor.fetchall()

    async def latest(self, user: User) -> datetime:
        status = await access_status(self.connection.cursor(), user.id)
        assert status is not None
        return status.latest_event_at


@asynccontextmanager
async def a_log(database_url: str) -> AsyncIterator[Log]:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        yield Log(connection)


def a_user(*organizations: Organization) -> User:
    user = User.create(uuid4(), classification="customer", individual_id=None)
    user.confirm()
    for organization in organizations:
        user.join(organization.id)
    return user


def an_organization() -> Organization:
    return Organization.create(
        uuid4(), "clinic", display_name="Clinic", classification="customer", provider_type="coach", timezone="UTC"
    )


def a_group(organization: Organization) -> Group:
    return Group.create(uuid4(), organization.id, "Heart")


def entry(group: Group, kind: Any, subject: User | Individual) -> RosterEntry:
    return RosterEntry.add(group.id, group.organization_id, kind, subject.id)


def moved(tree: GroupTree, group: Group, parent: Group | None) -> GroupTree:
    tree.request_move(uuid4(), group.id, parent.id if parent else None, 0)
    tree.finish_move(group.id)
    return tree


async def contents(log: Log) -> dict[str, list[Any]]:
    """Every row of every table, without the stamps."""
    found = {}
    for table in AuthorizationProjection.tables:
        (columns,) = (
            await log.rows(
                "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = %s::regclass"
                " AND attnum > 0 AND NOT attisdropped AND attname !~ '_at$'",
                table,
            )
        )[0]
        found[table] = sorted(await log.rows(f"SELECT {columns} FROM {table}"), key=repr)
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_any_cut_of_the_log_into_batches_leaves_the_same_rows(database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    world = RandomWorld()
    events = world.taken()
    for _ in range(150):
        world.carry_out((chance.choice(COMMANDS), *(chance.randint(0, 30) for _ in range(3))))  # type: ignore[arg-type]
        events += world.taken()
    async with a_log(database_url) as log:
        # a rebuild cuts anywhere, also inside an append, and makes the foreign keys when it is through
        await log.connection.execute(
            "ALTER TABLE group_individuals DROP CONSTRAINT group_individuals_of_the_organization"
        )
        await log.connection.execute("ALTER TABLE group_users DROP CONSTRAINT group_users_of_the_organization")
        found = []
        for longest in (1, 7, len(events)):
            await log.connection.execute(f"TRUNCATE {', '.join(AuthorizationProjection.tables)}".encode())
            rest = events
            while rest:
                size = chance.randint(1, longest) if longest < len(events) else longest
                await log.apply(rest[:size])
                rest = rest[size:]
            found.append(await contents(log))
        assert found[0] == found[1] == found[2]
        assert await log.rows("SELECT o.individuals FROM access_organizations o ORDER BY organization_id") == (
            await log.rows(
                "SELECT (SELECT count(*) FROM individual_organizations b WHERE b.organization_id = o.organization_id)"
                " FROM access_organizations o ORDER BY organization_id"
            )
        )
        assert await log.rows("SELECT organization_id, individual_id FROM unplaced_individuals ORDER BY 1, 2") == (
            await log.rows(
                "SELECT organization_id, individual_id FROM individual_organizations EXCEPT"
                " SELECT organization_id, individual_id FROM group_individuals ORDER BY 1, 2"
            )
        )
        assert await log.rows(
            "SELECT individual_id FROM individual_organizations WHERE owned ORDER BY individual_id"
        ) == await log.rows(
            "SELECT individual_id FROM access_individuals JOIN access_organizations ON owner_id = organization_id"
            " ORDER BY individual_id"
        )
        assert await log.rows(
            "SELECT DISTINCT individual_id FROM individual_organizations WHERE several ORDER BY individual_id"
        ) == await log.rows(
            "SELECT individual_id FROM individual_organizations GROUP BY 1 HAVING count(*) > 1 ORDER BY 1"
        )
        assert await log.rows("SELECT FROM organization_users WHERE NOT provider AND NOT admin") == []
        assert await log.rows("SELECT total FROM access_totals WHERE kind = 'individual'") == (
            await log.rows("SELECT count(*) FROM access_individuals")
        )


async def test_a_place_of_a_stranger_is_impossible(database_url: str) -> None:
    clinic = an_organization()
    group, stranger = a_group(clinic), Individual.create(uuid4(), "user", uuid4())
    async with a_log(database_url) as log:
        await log.save(clinic, group, stranger)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            await log.save(entry(group, "individual", stranger))


async def test_a_share_and_its_entries_end_in_one_append(database_url: str) -> None:
    clinic = an_organization()
    group = a_group(clinic)
    async with a_log(database_url) as log:
        await log.save(clinic, group)
        for first_the_share in (True, False):
            individual = Individual.create(uuid4(), "user", uuid4())
            individual.share("organization", clinic.id)
            place = entry(group, "individual", individual)
            await log.save(individual, place)
            individual.unshare("organization", clinic.id)
            place.remove()
            await log.save(*([individual, place] if first_the_share else [place, individual]))
        assert await log.rows("SELECT * FROM group_individuals") == []
        assert await log.rows("SELECT individuals FROM access_organizations") == [(0,)]


@pytest.mark.parametrize("at_once", [True, False])
async def test_access_by_ownership_and_share_ends_with_both(database_url: str, at_once: bool) -> None:
    clinic, individual = an_organization(), Individual.create(uuid4(), "user", uuid4())
    standing = "SELECT owned, shared FROM individual_organizations"
    async with a_log(database_url) as log:
        individual.share("organization", clinic.id)
        if not at_once:
            await log.save(clinic, individual)
        individual.change_owner("organization", clinic.id)
        await log.save(*([clinic, individual] if at_once else [individual]))
        assert await log.rows(standing) == [(True, True)]
        individual.unshare("organization", clinic.id)
        await log.save(individual)
        assert await log.rows(standing) == [(True, False)]
        individual.change_owner("user", uuid4())
        await log.save(individual)
        assert await log.rows(standing) == []


async def test_a_place_in_one_organization_is_none_in_another(database_url: str) -> None:
    north, south = an_organization(), an_organization()
    individual = Individual.create(uuid4(), "user", uuid4())
    async with a_log(database_url) as log:
        places = []
        for organization in (north, south):
            group = a_group(organization)
            individual.share("organization", organization.id)
            places.append(entry(group, "individual", individual))
            await log.save(organization, group, individual, places[-1])
        assert await log.rows("SELECT organization_id FROM unplaced_individuals") == []
        places[0].remove()
        await log.save(places[0])
        assert await log.rows("SELECT organization_id FROM unplaced_individuals") == [(north.id,)]


async def test_a_leader_and_member_may_give_up_either_entry(database_url: str) -> None:
    clinic = an_organization()
    group, user = a_group(clinic), a_user(clinic)
    async with a_log(database_url) as log:
        led, belongs = entry(group, "leader", user), entry(group, "member", user)
        await log.save(clinic, group, user, led, belongs)
        led.remove()
        await log.save(led)
        assert await log.rows("SELECT kind FROM group_users") == [("member",)]


async def test_a_move_writes_no_rows_of_people(database_url: str) -> None:
    clinic = an_organization()
    old, new, root, leaf = (a_group(clinic) for _ in range(4))
    tree = GroupTree.create(clinic.id)
    moved(tree, leaf, root)
    moved(tree, root, old)
    people = [a_user(clinic) for _ in range(30)]
    async with a_log(database_url) as log:
        await log.save(clinic, old, new, root, leaf, tree, *people, *(entry(leaf, "member", each) for each in people))
        before = await log.rows("SELECT user_id, ctid::text FROM access_users ORDER BY 1")
        await log.save(moved(tree, root, new))
        assert await log.rows("SELECT user_id, ctid::text FROM access_users ORDER BY 1") == before
        below = await log.rows("SELECT descendant_id FROM group_closure WHERE ancestor_id = %s", new.id)
        assert {each for (each,) in below} == {new.id, root.id, leaf.id}
        above = await log.rows("SELECT ancestor_id FROM group_closure WHERE descendant_id = %s", leaf.id)
        assert {each for (each,) in above} == {new.id, root.id, leaf.id}
        assert await log.rows("SELECT descendant_id FROM group_closure WHERE ancestor_id = %s", old.id) == [(old.id,)]
