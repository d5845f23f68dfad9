"""The authorization tables: what a batch leaves in them, in whatever pieces it comes, and what it stamps."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from domain.access.roles import Role
from domain.core.audited import Audited
from domain.core.ports import AccessQuery
from domain.core.recorded import Recorded
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry
from domain.groups.trees import GroupTree
from domain.organizations.organizations import Organization
from domain.people.individuals import Individual
from domain.people.users import User
from projections.access.authorization import AuthorizationProjection
from projections.access.checks import decide, decide_many
from projections.access.pages import Slice
from projections.access.readable_individuals import accessible_individuals
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
                " AND attnum > 0 AND attname !~ '_at$'",
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


async def test_sessions_end_where_the_last_disabling_stands(database_url: str) -> None:
    user = a_user()
    async with a_log(database_url) as log:
        await log.save(user)
        assert await log.rows("SELECT live, sessions_ended_at_position FROM access_users") == [(True, 0)]
        user.disable()
        await log.save(user)
        ended = log.position
        assert await log.rows("SELECT live, sessions_ended_at_position FROM access_users") == [(False, ended)]
        user.enable()
        await log.save(user)
        assert await log.rows("SELECT live, sessions_ended_at_position FROM access_users") == [(True, ended)]


async def test_an_unconfirmed_user_has_no_access(database_url: str) -> None:
    user = User.create(uuid4(), classification="customer", individual_id=None)
    mine = Individual.create(uuid4(), "user", user.id)
    query = AccessQuery("individual", mine.id, "write")
    async with a_log(database_url) as log, log.connection.cursor() as cursor:
        await log.save(user, mine)
        user.set_password("hashed")
        await log.save(user)
        assert await decide(cursor, user.id, [query]) == [False]
        user.confirm()
        await log.save(user)
        assert await decide(cursor, user.id, [query]) == [True]


async def test_the_system_role_counts_for_staff_only(database_url: str) -> None:
    operator = Organization.create(
        uuid4(), "operator", display_name="Operator", classification="carium", provider_type="coach", timezone="UTC"
    )
    staff, customer = (User.create(uuid4(), classification=c, individual_id=None) for c in ("carium", "customer"))
    role = Role.create(operator.id, "carium.admin", "System administrator")
    for user in (staff, customer):
        user.confirm()
        user.join(operator.id)
        role.grant(user.id, live=True)
    queries = [AccessQuery("system", "x", "write"), AccessQuery("system", "x", "read")]
    async with a_log(database_url) as log, log.connection.cursor() as cursor:
        await log.save(operator, staff, customer, role)
        assert (await decide_many(cursor, [staff.id, customer.id], queries)).allowed == [[True, True], [False, False]]
        role.revoke(customer.id)
        role._revoked(staff.id)
        await log.save(role)
        assert await decide(cursor, staff.id, queries) == [False, True]


async def test_no_users_and_no_queries_are_answered(database_url: str) -> None:
    async with a_log(database_url) as log, log.connection.cursor() as cursor:
        assert (await decide_many(cursor, [], [AccessQuery("system", "", "read")])).allowed == []
        assert (await decide_many(cursor, [uuid4(), uuid4()], [])).allowed == [[], []]
        assert await decide(cursor, uuid4(), [AccessQuery("group", None, "read")]) == [False]


async def test_many_users_and_many_things_at_once(database_url: str) -> None:
    users = [a_user() for _ in range(70)]
    individuals = [Individual.create(uuid4(), "user", user.id) for user in users]
    async with a_log(database_url) as log, log.connection.cursor() as cursor:
        await log.save(*users, *individuals)
        queries = [AccessQuery("individual", each.id, "write") for each in individuals]
        answers = (await decide_many(cursor, [user.id for user in users], queries)).allowed
        assert answers == [[mine is his for his in users] for mine in users]


@pytest.mark.parametrize("crowded", [True, False])
async def test_a_long_list_is_whole_however_its_ids_are_spread(database_url: str, crowded: bool) -> None:
    """Page by page, where the guess how far to look is right and where all ids but one stand close together."""
    clinic = an_organization()
    group, leader = a_group(clinic), a_user(clinic)
    ids = [UUID(int=(n if crowded else n << 116) + 7) for n in range(4_000)]
    if crowded:
        ids = [*(UUID(int=(1 << 127) + each.int) for each in ids[1:]), ids[0]]
    people = [Individual.create(each, "organization", clinic.id) for each in ids]
    async with a_log(database_url) as log, log.connection.cursor() as cursor:
        await log.save(clinic, group, leader, entry(group, "leader", leader), *people)
        await log.save(*(entry(group, "individual", each) for each in people))
        for limit, offset in [(10, 0), (1, 0), (500, 1_200), (3_000, 2_500), (5, 3_998), (5, 4_000), (0, 0)]:
            page = await accessible_individuals(cursor, leader.id, "write", Slice(limit, offset))
            assert page == (4_000, sorted(ids)[offset : offset + limit])


async def test_a_list_names_each_individual_once(database_url: str) -> None:
    """By two whole organizations, by one and a group of a third, by a group and a share."""
    north, south, west = (an_organization() for _ in range(3))
    user, group = a_user(north, south, west), a_group(west)
    for whole in (north, south):
        whole.change({"authorization_type": "open"})
    parties = {UUID(int=1): [north], UUID(int=2): [north, south, west], UUID(int=3): [south], UUID(int=4): [west]}
    people = [Individual.create(each, "user", uuid4()) for each in parties]
    for individual in people:
        for organization in parties[individual.id]:
            individual.share("organization", organization.id)
    people[3].share("user", user.id, "write")
    places = [entry(group, "individual", each) for each in people if west in parties[each.id]]
    async with a_log(database_url) as log, log.connection.cursor() as cursor:
        await log.save(north, south, west, user, group, entry(group, "leader", user), *people, *places)
        for within in (None, north, south, west):
            expected = [each for each in parties if within is None or within in parties[each]]
            for size in (1, 2, 10):
                pages = [
                    await accessible_individuals(
                        cursor, user.id, "write", Slice(size, offset),
                        organization_id=within.id if within else None,
                    )
                    for offset in range(0, len(expected), size)
                ]  # fmt: skip
                assert [each for page in pages for each in page.ids] == expected
                assert {page.total for page in pages} == {len(expected)}


async def test_an_individual_without_active_groups_is_unassigned(database_url: str) -> None:
    clinic, owner = an_organization(), a_user()
    group, unassigned = a_group(clinic), Group.create_computed(clinic.id, "unassigned", "Unassigned")
    mine = Individual.create(uuid4(), "user", owner.id)
    mine.share("organization", clinic.id)
    contains = [AccessQuery("group", unassigned.id, "contain")]
    async with a_log(database_url) as log, log.connection.cursor() as cursor:
        await log.save(clinic, owner, group, unassigned, mine, entry(group, "individual", mine))
        assert await decide(cursor, owner.id, contains) == [False]
        group.deactivate()
        await log.save(group)
        assert await decide(cursor, owner.id, contains) == [True]


class Told:
    """Two branches of a tree with leaders and members, a patient in a leaf; who was touched by what?"""

    def __init__(self) -> None:
        self.clinic = an_organization()
        self.left, self.right, self.leaf, self.below = (a_group(self.clinic) for _ in range(4))
        self.admin, self.lefty, self.righty, self.leafy, self.lower, self.other = (
            a_user(self.clinic) for _ in range(6)
        )
        self.owner, self.stranger = a_user(), a_user()
        self.patient = Individual.create(uuid4(), "user", self.owner.id)
        self.patient.share("organization", self.clinic.id)
        self.role = Role.create(self.clinic.id, "org.admin", "Administrator")
        self.role.grant(self.admin.id, live=True)
        self.tree = GroupTree.create(self.clinic.id)
        moved(self.tree, self.leaf, self.left)
        moved(self.tree, self.below, self.leaf)
        self.place = entry(self.leaf, "individual", self.patient)
        self.entries = [
            entry(self.left, "leader", self.lefty),
            entry(self.right, "leader", self.righty),
            entry(self.leaf, "member", self.leafy),
            entry(self.below, "leader", self.lower),
        ]

    @property
    def names(self) -> dict[str, User]:
        return {name: value for name, value in vars(self).items() if isinstance(value, User)}

    async def begin(self, log: Log) -> None:
        groups = [self.left, self.right, self.leaf, self.below]
        await log.save(self.clinic, self.role, *self.names.values(), *groups, self.tree, self.patient, *self.entries)
        await log.save(self.place)

    async def touched_by(self, log: Log, *aggregates: Audited) -> set[str]:
        """Whose latest event one append is."""
        before = {name: await log.latest(user) for name, user in self.names.items()}
        start = log.now
        await log.save(*aggregates)
        after = {name: await log.latest(user) for name, user in self.names.items()}
        assert all(after[name] in (before[name], log.now) or after[name] > start for name in after)
        return {name for name in after if after[name] > start}


async def test_a_move_touches_people_of_ancestors_and_descendants(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        touched = await told.touched_by(log, moved(told.tree, told.leaf, told.right))
        # the patient's owner is contained in other groups now
        assert touched == {"lefty", "righty", "leafy", "lower", "owner", "admin"}
        assert await told.touched_by(log, moved(told.tree, told.leaf, None)) == touched - {"lefty"}


async def test_a_place_touches_those_up_the_tree_and_the_owner(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        told.place.remove()
        assert await told.touched_by(log, told.place) == {"lefty", "leafy", "owner", "admin"}
        told.place.add_again()
        assert await told.touched_by(log, told.place) == {"lefty", "leafy", "owner", "admin"}


async def test_a_roster_entry_touches_its_subject(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        assert await told.touched_by(log, entry(told.below, "member", told.other)) == {"other"}
        told.entries[0].remove()
        assert await told.touched_by(log, told.entries[0]) == {"lefty"}


async def test_shares_and_owners_touch_both_sides(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        told.patient.share("user", told.stranger.id, "read")
        assert await told.touched_by(log, told.patient) == {"owner", "stranger"}
        told.patient.unshare("user", told.stranger.id)
        assert await told.touched_by(log, told.patient) == {"owner", "stranger"}
        told.patient.change_owner("user", told.stranger.id)
        assert await told.touched_by(log, told.patient) == {"owner", "stranger"}
        told.place.remove()
        told.patient.unshare("organization", told.clinic.id)
        assert await told.touched_by(log, told.place, told.patient) == {"stranger", "lefty", "leafy", "admin"}


async def test_a_former_owner_is_touched_also_when_it_is_an_organization(database_url: str) -> None:
    told = Told()
    theirs = Individual.create(uuid4(), "organization", told.clinic.id)
    async with a_log(database_url) as log:
        await told.begin(log)
        assert await told.touched_by(log, theirs) == {"admin"}
        theirs.change_owner("user", told.stranger.id)
        assert await told.touched_by(log, theirs) == {"admin", "stranger"}


async def test_changes_of_an_organization_touch_its_providers(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        providers = {"admin", "lefty", "righty", "leafy", "lower", "other"}
        told.clinic.change({"authorization_type": "open"})
        assert await told.touched_by(log, told.clinic) == providers
        told.place.remove()
        assert await told.touched_by(log, told.place) == {
            *providers,
            "owner",
        }  # an open one: they lose nothing, but may


async def test_a_deactivation_touches_those_in_it_and_above_it(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        told.below.deactivate()
        told.tree.remove_node(told.below.id)
        assert await told.touched_by(log, told.below, told.tree) == {"lower", "leafy", "lefty", "admin", "owner"} - {
            "owner"
        }


async def test_a_clock_that_is_behind_takes_no_stamp_back(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        before = {name: await log.latest(user) for name, user in told.names.items()}
        told.stranger.disable()
        told.place.remove()
        late = log.recorded(told.stranger, told.place)
        await log.apply([each._replace(event=replace(each.event, timestamp=START)) for each in late])  # type: ignore[type-var]
        for name, user in told.names.items():
            assert await log.latest(user) >= before[name]


async def test_accounts_touch_themselves(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        told.lefty.disable()
        assert await told.touched_by(log, told.lefty) == {"lefty"}
        told.role.grant(told.other.id, live=True)
        assert await told.touched_by(log, told.role) == {"other"}
        told.other.leave(told.clinic.id)
        assert await told.touched_by(log, told.other) == {"other"}
