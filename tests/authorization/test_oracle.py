"""The product against a naive oracle, after every one of random commands, by every path it can be asked on.

ROLLBOOK_TEST_WORLDS sets how many worlds are tried (default 8); they are the same ones at every run.
"""

import os
from collections.abc import Iterator
from itertools import combinations, cycle
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.core.ports import AccessQuery
from domain.groups.groups import SYSTEM_TYPES, system_group_id
from domain.organizations.organizations import OPERATOR_ID
from projections.access.limits import LIMITS
from tests.authorization.asking import Asking, Found
from tests.authorization.oracle import Oracle, OracleGroup, OracleIndividual, OracleOrganization, OracleUser
from tests.authorization.random_worlds import COMMANDS, Command, RandomWorld
from tests.support.world.product import ADMIN_EMAIL, World, a_world

pytestmark = pytest.mark.slow

WORLDS = int(os.environ.get("ROLLBOOK_TEST_WORLDS", "8"))
TURNS = 25
# What makes people and things stand in relation is tried more often than what tears them apart.
FREQUENT = ("group", "group", "individual", "share", "share", "place", "place", "lead", "join_group", "enter", "move")
BEGINNING: list[Command] = [
    ("enter", 0, 0, 0), ("enter", 1, 0, 0), ("enter", 2, 0, 0), ("enter", 2, 1, 0), ("enter", 3, 1, 0),
    ("appoint", 0, 0, 0), ("appoint", 3, 1, 0), ("group", 0, 1, 0), ("group", 0, 1, 0), ("group", 1, 1, 0),
    ("share", 0, 0, 0), ("share", 1, 0, 0), ("share", 1, 1, 0), ("individual", 0, 0, 0), ("place", 0, 0, 0),
    ("place", 1, 1, 0), ("lead", 0, 1, 0), ("join_group", 1, 2, 0), ("move", 1, 1, 0),
]  # fmt: skip
LENDING_TURNS, FOR_READING = (7, 15), 2
CLOSING_TURN, CLOSED = 17, 0
OPERATIONS = {"individual": ["read", "write"], "organization": ["read", "write"], "group": ["read", "write", "contain"]}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(WORLDS))
async def test_every_path_agrees_with_the_oracle_after_every_command(database_url: str, seed: int) -> None:
    chance = Random(seed)
    random = RandomWorld()
    async with a_world(database_url, projecting=False) as world:
        trial = Trial(random, world, chance, indexed=prepare(chance, world))
        await trial.begin()
        for turn, command in enumerate([*(BEGINNING if seed % 2 else []), *turns(chance)]):
            random.carry_out(command)
            await world.identity.store.save(*random.unsaved())
            await trial.compare(turn)


def prepare(chance: Random, world: World) -> bool:
    """Lists of thousands are made in other ways than short ones, so let few be thousands. Whether there is an index."""
    few = chance.choice([0, 2_000])
    world.services.indexing.limits = LIMITS._replace(few=few, spare=few, looked_up=chance.choice([2, 1_000]))
    return chance.random() < 0.7


def turns(chance: Random) -> list[Command]:
    """Chance alone hardly ever lends for reading, or closes an organization when there is much in it."""
    found = [a_command(chance) for _ in range(TURNS)]
    for turn in LENDING_TURNS:
        found[turn] = ("lend", chance.randint(0, 30), chance.randint(0, 30), FOR_READING)
    found[CLOSING_TURN] = ("switch_organization", chance.randint(0, 30), CLOSED, 0)
    return found


def a_command(chance: Random) -> Command:
    a, b, c = (chance.randint(0, 30) for _ in range(3))
    return chance.choice([*COMMANDS, *FREQUENT]), a, b, c


class Trial:
    """Asks more or less everything at each turn: what is too much for one turn has its turn later."""

    def __init__(self, random: RandomWorld, world: World, chance: Random, *, indexed: bool) -> None:
        self._random = random
        self._world = world
        self._asking = Asking(world)
        self._chance = chance
        self._indexed = indexed
        self._lists = cycle(self._kinds_of_lists())
        self._filters = cycle(self._kinds_of_filters())

    @property
    def oracle(self) -> Oracle:
        return self._random.oracle

    @property
    def people(self) -> list[UUID]:
        return list(self.oracle.users)

    async def begin(self) -> None:
        adopt(self.oracle, self._world)
        await self._world.identity.store.save(*self._random.unsaved())

    async def compare(self, turn: int) -> None:
        if self._indexed:
            await self._index(turn)
        await self._compare_checks()
        await self._compare_lists()
        await self._compare_accessors()
        await self._compare_filters()

    async def _index(self, turn: int) -> None:
        """Now and then, so that it is more and more out of date between times."""
        indexing = self._world.services.indexing
        if turn % 10 == 3:
            indexing.min_individuals = 0
            await indexing.renew()
        elif turn % 10 == 6:
            await indexing.renew_delta()

    async def _compare_checks(self) -> None:
        queries = [
            AccessQuery(kind, thing, operation)  # type: ignore[arg-type]
            for kind, operations in OPERATIONS.items()
            for thing in (None, uuid4(), *self.oracle.things(kind))
            for operation in operations
        ]
        for kind in ("system", "app.records", "app.labs", "app.nobody"):
            queries += [AccessQuery(kind, "x", "read"), AccessQuery(kind, "", "write")]
        people = [*self.people, uuid4()]
        for user_id, answers in zip(people, await self._asking.bulk(people, queries), strict=True):
            wrong = [q for q, answer in zip(queries, answers, strict=True) if answer != self.oracle.allows(user_id, q)]
            assert not wrong, (people.index(user_id), wrong)
        for _ in range(3):
            user_id, several = self._chance.choice(people), self._chance.sample(queries, self._chance.choice([1, 1, 3]))
            expected = all(self.oracle.allows(user_id, each) for each in several)
            assert await self._asking.check(user_id, *several) is expected

    async def _compare_lists(self) -> None:
        for user_id in self._chance.sample(self.people, 5):
            queries, organization = next(self._lists)
            found = await self._asking.accessible(user_id, queries, organization, self._odd())
            self._same(found, self.oracle.accessible(user_id, queries, organization), queries, organization)

    async def _compare_accessors(self) -> None:
        for kind in ("individual", "organization"):
            things = self.oracle.things(kind)
            operation, number = self._chance.choice(OPERATIONS[kind]), self._chance.choice([1, 1, 2, 3])
            asked = self._chance.sample(things, min(number, len(things)))
            organization = self._chance.choice([None, *self._random.organizations])
            found = await self._asking.accessors(kind, asked, operation, organization, self._odd())
            self._same(found, self.oracle.accessors(kind, asked, operation, organization), kind, asked, operation)

    async def _compare_filters(self) -> None:
        """With the read model of users up to date, which some of them look at."""
        await self._world.catch_up()
        for _ in range(3):
            user_id, operation = self._chance.choice(self.people), self._chance.choice(OPERATIONS["individual"])
            filters = dict([next(self._filters)])
            if self._chance.random() < 0.3:
                filters |= dict([next(self._filters)])
            mine = self.oracle.accessible(user_id, [AccessQuery("individual", None, operation)])  # type: ignore[arg-type]
            expected = sorted(set(mine) & set(self.oracle.passing(filters)))
            found = await self._asking.individuals(user_id, operation, filters, self._odd())
            self._same(found, expected, user_id, operation, filters)

    def _same(self, found: Found, expected: list[UUID], *about: Any) -> None:
        assert found == Found(expected, {len(expected)}), about

    def _odd(self) -> int:
        return self._chance.choice([1, 3, 5, 7])

    def _kinds_of_lists(self) -> list[tuple[list[AccessQuery], UUID | None]]:
        organizations = [None, *self._random.organizations, uuid4()]
        kinds = [
            ([AccessQuery(kind, None, operation) for operation in together], organization)  # type: ignore[arg-type]
            for kind, operations in OPERATIONS.items()
            for size in (1, 2, 3)
            for together in combinations(operations, size)
            for organization in organizations
        ]
        return self._chance.sample(kinds, len(kinds))

    def _kinds_of_filters(self) -> Iterator[tuple[str, Any]]:
        """For ever, of what there is at the time."""
        while True:
            people, groups = self.people, list(self.oracle.groups)
            owners = [*people, *self.oracle.organizations, uuid4()]
            emails = [user.email for user in self.oracle.users.values() if user.email]
            phones = [user.phone for user in self.oracle.users.values() if user.phone]
            kinds = [
                *(("group-id", each) for each in self._chance.sample(groups, min(3, len(groups)))),
                ("group-id", uuid4()),
                ("group-members-with-leader-id", self._chance.choice(people)),
                ("group-members-with-leader-id", self._chance.choice(self._random.providers)),
                ("exclude-owner-ids", self._chance.sample(owners, 3)),
                ("organization-id", self._chance.choice([*self.oracle.organizations, uuid4()])),
                *(("registered", each) for each in (True, False)),
                *(("email-verified", each) for each in (True, False)),
                *(("phone-verified", each) for each in (True, False)),
                ("account-type", self._chance.choice(["patient", "PROVIDER", "nobody"])),
                ("email", self._chance.choice(emails).upper()),
                ("phone", self._chance.choice(phones)),
                ("first-name", "Nobody"),
                ("last-name", "Nobody"),
                ("birth-date", "2000-01-01"),
            ]
            yield from self._chance.sample(kinds, len(kinds))


def adopt(oracle: Oracle, world: World) -> None:
    """What the first start has made."""
    admin = world.system.user_id
    assert world.system.individual_id is not None
    oracle.organizations[OPERATOR_ID] = OracleOrganization(providers={admin}, admins={admin})
    for kind in SYSTEM_TYPES:
        oracle.groups[system_group_id(OPERATOR_ID, kind)] = OracleGroup(OPERATOR_ID, kind)
    oracle.individuals[world.system.individual_id] = OracleIndividual(admin)
    oracle.users[world.service.user_id] = OracleUser(service="records")
    oracle.users[admin] = OracleUser(
        ADMIN_EMAIL, staff=True, system=True, registered=True, email_verified=True, provider=True
    )
