"""Checks and lists of many users and things."""

from uuid import UUID, uuid4

import pytest

from domain.core.ports import AccessQuery
from domain.groups.groups import Group
from domain.people.individuals import Individual
from projections.access.checks import decide, decide_many
from projections.access.pages import Slice
from projections.access.readable_individuals import accessible_individuals
from tests.projections.access.test_authorization import a_group, a_log, a_user, an_organization, entry


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
