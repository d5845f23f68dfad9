"""The engine against a naive oracle, after random commands in random batches, by every path it can be asked on.

ROLLBOOK_TEST_WORLDS sets how many worlds are tried (default 12); they are the same ones at every run.
"""

import asyncio
import os
from collections.abc import Sequence
from itertools import combinations
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection, AsyncCursor

from domain.ports import AccessQuery
from projections import access_individuals
from projections.access_accessors import accessors
from projections.access_checks import decide, decide_many
from projections.access_filters import IndividualFilter
from projections.access_individuals import accessible_individuals
from projections.access_lists import accessible
from projections.access_pages import Slice
from projections.authorization import AuthorizationProjection
from tests.authorization.random_worlds import COMMANDS, Command, RandomWorld

WORLDS = int(os.environ.get("ROLLBOOK_TEST_WORLDS", "12"))
NUMBER = st.integers(0, 30)
# What makes people and things stand in relation is tried more often than what tears them apart.
FREQUENT = ["group", "group", "individual", "share", "share", "place", "place", "lead", "join_group", "enter", "move"]
A_COMMAND = st.tuples(st.sampled_from([*COMMANDS, *FREQUENT]), NUMBER, NUMBER, NUMBER)
SOME_BATCHES = st.lists(st.lists(A_COMMAND, min_size=1, max_size=8), min_size=1, max_size=10)
BEGINNING: list[Command] = [
    ("enter", 0, 0, 0), ("enter", 1, 0, 0), ("enter", 2, 0, 0), ("enter", 2, 1, 0), ("enter", 3, 1, 0),
    ("appoint", 0, 0, 0), ("appoint", 3, 1, 0), ("group", 0, 1, 0), ("group", 0, 1, 0), ("group", 1, 1, 0),
    ("share", 0, 0, 0), ("share", 1, 0, 0), ("share", 1, 1, 0), ("individual", 0, 0, 0), ("place", 0, 0, 0),
    ("place", 1, 1, 0), ("lead", 0, 1, 0), ("join_group", 1, 2, 0), ("move", 1, 1, 0),
]  # fmt: skip
OPERATIONS = {"individual": ["read", "write"], "organization": ["read", "write"], "group": ["read", "write", "contain"]}


@pytest.mark.timeout(600)
@settings(
    max_examples=WORLDS,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(batches=SOME_BATCHES, begun=st.booleans(), few=st.sampled_from([0, 2_000]))
def test_the_engine_agrees_with_the_oracle(
    database_url: str, batches: list[list[Command]], begun: bool, few: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:  # lists of thousands are made in another way, so let these be that long
        patch.setattr(access_individuals, "FEW", few)
        patch.setattr(access_individuals, "SPARE", few)
        asyncio.run(compare_all_the_way(database_url, [*([BEGINNING] if begun else []), *batches]))


async def compare_all_the_way(database_url: str, batches: Sequence[Sequence[Command]]) -> None:
    world = RandomWorld()
    projection = AuthorizationProjection()
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(f"TRUNCATE {', '.join(projection.tables)}".encode())
        await apply(connection, world)
        for turn, batch in enumerate(batches):
            for command in batch:
                world.carry_out(command)
            await apply(connection, world)
            async with connection.cursor() as cursor:
                await compare(cursor, world, turn)


async def apply(connection: AsyncConnection, world: RandomWorld) -> None:
    """As the append does it: one batch, in a pipeline, in a transaction."""
    if events := world.taken():
        async with connection.pipeline(), connection.transaction():
            await AuthorizationProjection().apply(connection.cursor(), events)


async def compare(cursor: AsyncCursor, world: RandomWorld, turn: int) -> None:
    await compare_checks(cursor, world)
    await compare_lists(cursor, world, turn)
    await compare_accessors(cursor, world, turn)
    await compare_filters(cursor, world, turn)


async def compare_checks(cursor: AsyncCursor, world: RandomWorld) -> None:
    oracle = world.oracle
    queries = [
        AccessQuery(kind, thing, operation)  # type: ignore[arg-type]
        for kind, operations in OPERATIONS.items()
        for thing in (None, uuid4(), *oracle.things(kind))
        for operation in operations
    ]
    for kind in ("system", "app.records", "app.nobody"):
        queries += [AccessQuery(kind, "x", "read"), AccessQuery(kind, "", "write")]
    people = [*world.people, uuid4()]
    found = (await decide_many(cursor, people, queries)).allowed
    for user_id, answers in zip(people, found, strict=True):
        wrong = [q for q, answer in zip(queries, answers, strict=True) if answer != oracle.allows(user_id, q)]
        assert not wrong, (people.index(user_id), wrong)
    for number, query in enumerate(queries):
        user_id = people[number % len(people)]
        assert await decide(cursor, user_id, [query]) == [oracle.allows(user_id, query)]


async def compare_lists(cursor: AsyncCursor, world: RandomWorld, turn: int) -> None:
    """Each user with some lists in turn, page by page."""
    asked = [
        ([AccessQuery(kind, None, operation) for operation in together], organization)  # type: ignore[arg-type]
        for kind, operations in OPERATIONS.items()
        for size in (1, 2, 3)
        for together in combinations(operations, size)
        for organization in (None, *world.organizations, uuid4())
    ]
    for number, user_id in enumerate(world.people):
        for queries, organization in asked[(turn + number) % 5 :: 5]:
            expected = world.oracle.accessible(user_id, queries, organization)
            assert await whole_list(cursor, user_id, queries, organization) == expected, (number, queries, organization)


async def whole_list(cursor: AsyncCursor, user_id: UUID, queries: Any, organization: UUID | None) -> list[UUID]:
    ids: list[UUID] = []
    while True:
        page = await accessible(cursor, user_id, queries, Slice(3, len(ids)), organization)
        ids += page.ids
        if len(page.ids) < 3:
            nothing = await accessible(cursor, user_id, queries, Slice(0, 0), organization)
            assert (page.total, *nothing) == (len(ids), len(ids), [])
            return ids


async def compare_accessors(cursor: AsyncCursor, world: RandomWorld, turn: int) -> None:
    for kind in ("individual", "organization"):
        things = [*world.oracle.things(kind)]
        asked = [*([each] for each in things), *([a, b] for a, b in combinations(things, 2)), things, [uuid4()]]
        organizations = [None, *world.organizations]
        for number, resources in enumerate(asked):
            organization = organizations[(number + turn) % 3]
            operation: Any = ("read", "write")[(number // 3 + turn) % 2]
            expected = world.oracle.accessors(kind, resources, operation, organization)
            limit, offset = (3, turn % 2) if number % 4 == 0 else (100, 0)
            page = await accessors(
                cursor, kind, resources, operation, Slice(limit, offset), organization_id=organization
            )
            assert page == (len(expected), expected[offset : offset + limit])


async def compare_filters(cursor: AsyncCursor, world: RandomWorld, turn: int) -> None:
    """Only the filters on groups and owners: those on users look at a read model of another engineer."""
    oracle = world.oracle
    query = [AccessQuery("individual", None, "write")]
    for number, group_id in enumerate([*oracle.groups, uuid4()]):
        user_id = world.people[(number + turn) % len(world.people)]
        inside = oracle.in_group(group_id) if group_id in oracle.groups else set()
        excluded = [world.participants[0], world.organizations[0]]
        mine = oracle.accessible(user_id, query)
        expected = [each for each in mine if each in inside]
        assert await filtered(cursor, user_id, IndividualFilter(group_id=group_id)) == expected
        expected = [each for each in mine if oracle.individuals[each].owner not in excluded]
        assert await filtered(cursor, user_id, IndividualFilter(exclude_owner_ids=excluded)) == expected
    for leader in world.providers:
        led = {
            each
            for group_id, facts in oracle.groups.items()
            if leader in facts.leaders and facts.active
            for each in oracle.in_group(group_id)
        }
        expected = [each for each in oracle.accessible(world.system, query) if each in led]
        assert await filtered(cursor, world.system, IndividualFilter(leader_id=leader)) == expected


async def filtered(cursor: AsyncCursor, user_id: UUID, filters: IndividualFilter) -> list[UUID]:
    page = await accessible_individuals(cursor, user_id, "write", Slice(100, 0), filters=filters)
    assert page.total == len(page.ids)
    return page.ids
