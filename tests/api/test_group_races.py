"""Callers at the same time: whatever the order, one of them comes first and nothing is left in between."""

import asyncio
from typing import Any
from uuid import UUID

from tests.api.test_group_logs import told
from tests.api.test_groups import V1, V2
from tests.api.test_moves import parent_of, requested
from tests.api.test_rosters import roster
from tests.support.world import Person, World, a_world
from workers import moves

ROUNDS = 5


async def status(world: World, path: str, body: Any, by: Person, method: str = "POST") -> int:
    answer = await world.client.request(method, path, json=body, headers=by.bearer)
    return answer.status_code


async def test_many_who_add_the_same_people_add_them_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, group = await world.admin(organization), await world.group(organization)
        people = [str(await world.individual(organization)) for _ in range(5)]
        path, body = f"{V1}{group}/add-individuals/", {"individual-ids": people}
        assert await asyncio.gather(*(status(world, path, body, admin) for _ in range(8))) == [201] * 8
        await world.catch_up()
        assert len(await told(world, admin, **{"individual-group-id": str(group)})) == 5
        assert (await world.get(f"{V2}{group}/", admin))["data"]["attributes"]["individuals-count"] == 5


async def test_of_leaders_replaced_by_several_at_once_one_set_stays(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, group = await world.admin(organization), await world.group(organization)
        sets = [[str((await world.provider(organization)).user_id) for _ in range(2)] for _ in range(3)]

        def replacing(leaders: list[str]) -> dict[str, Any]:
            attributes = {"leader-ids": leaders}
            return {"data": {"type": "individual-groups", "id": str(group), "attributes": attributes}}

        calls = (status(world, f"{V1}{group}/", replacing(leaders), admin, "PATCH") for leaders in sets)
        assert await asyncio.gather(*calls) == [200] * 3
        assert sorted(await roster(world, group, "leader")) in [sorted(leaders) for leaders in sets]


async def test_nobody_leads_who_left_the_organization_at_that_moment(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, group = await world.admin(organization), await world.group(organization)
        for _ in range(ROUNDS):
            nurse = await world.provider(organization)
            body = {"data": {"type": "organizations", "attributes": {"user-id": str(nurse.user_id)}}}
            added, removed = await asyncio.gather(
                status(world, f"{V1}{group}/add-leaders/", {"user-ids": [str(nurse.user_id)]}, admin),
                status(world, f"/v1/organizations/{organization}/remove-user/", body, admin),
            )
            assert removed == 201
            assert added in {201, 404, 409}
        assert await roster(world, group, "leader") == []


async def test_nobody_is_placed_who_was_unshared_at_that_moment(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        group = await world.group(organization)
        for _ in range(ROUNDS):
            patient = await world.patient(organization)
            body = {"with": {"type": "organization", "id": str(organization)}}
            added, unshared = await asyncio.gather(
                status(
                    world,
                    f"{V1}{group}/add-individuals/",
                    {"individual-ids": [str(patient.individual_id)]},
                    world.system,
                ),
                status(world, f"/v1/individuals/{patient.individual_id}/unshare/", body, world.system),
            )
            assert unshared == 201
            assert added in {201, 409}
        assert await roster(world, group, "individual") == []


async def test_two_moves_that_exclude_each_other_are_not_both_carried_out(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        for _ in range(ROUNDS):
            one, other = await world.group(organization), await world.group(organization)
            tasks = await asyncio.gather(requested(world, one, other, admin), requested(world, other, one, admin))
            await carried_out(world, organization, *tasks)
            parents = [await parent_of(world, one, admin), await parent_of(world, other, admin)]
            assert sorted(str(each) for each in parents) in [sorted([str(each), "None"]) for each in (one, other)]


async def test_nothing_comes_under_a_group_that_was_deactivated_at_that_moment(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        for _ in range(ROUNDS):
            parent, child = await world.group(organization), await world.group(organization)
            task = await requested(world, child, parent, admin)
            _, deleted = await asyncio.gather(
                carried_out(world, organization, task), status(world, f"{V1}{parent}/", None, admin, "DELETE")
            )
            await world.catch_up()
            assert await parent_of(world, child, admin) == (None if deleted == 204 else str(parent))


async def carried_out(world: World, organization: UUID, *tasks: UUID) -> None:
    """Each task twice at once, as by a worker that was given up too early."""
    await asyncio.gather(*(moves.carry_out(world.identity, organization, task) for task in (*tasks, *tasks)))
    await world.catch_up()
