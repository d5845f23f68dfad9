"""Callers at the same time: whatever the order, one of them comes first and nothing is left in between."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from domain.groups.groups import Group
from tests.api.groups.test_groups import ROSTER, V1, V2
from tests.api.groups.test_logs import told
from tests.api.groups.test_moves import attributes, parent_of, requested, slowed, to
from tests.api.groups.test_rosters import roster
from tests.support.world.product import Person, World, a_world

pytestmark = pytest.mark.slow

ROUNDS = 5


async def status(world: World, path: str, body: Any, by: Person, method: str = "POST") -> int:
    answer = await world.client.request(method, path, json=body, headers=by.bearer)
    return answer.status_code


async def test_concurrent_additions_of_the_same_people_add_them_once(database_url: str) -> None:
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


async def test_a_user_who_leaves_at_that_moment_leads_no_group(database_url: str) -> None:
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


async def test_an_individual_unshared_at_that_moment_is_not_added(database_url: str) -> None:
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


async def test_a_group_deactivated_at_that_moment_keeps_its_rosters(
    database_url: str,
) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        for _ in range(ROUNDS):
            record = str(await world.individual(organization))
            old = await world.group(organization, "old", **{"individual-ids": [record]})
            new = await world.group(organization, "new")
            body = {"individual-ids": [record], "remove-from-group": str(old)}
            moved, *deleted = await asyncio.gather(
                status(world, f"{V1}{new}/add-individuals/", body, admin),
                *(status(world, f"{V1}{each}/", None, admin, "DELETE") for each in (old, new)),
            )
            assert deleted == [204, 204]
            assert moved in {201, 409}
            listed = {each: await individuals_of(world, each) for each in (old, new)}
            assert listed == ({old: [], new: [record]} if moved == 201 else {old: [record], new: []})


async def test_concurrent_deactivations_all_succeed_and_one_is_recorded(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, group = await world.admin(organization), await world.group(organization)
        calls = [status(world, f"{V1}{group}/", None, admin, "DELETE") for _ in range(6)]
        assert await asyncio.gather(*calls) == [204] * 6
        async with world.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT count(*) FROM events WHERE topic = %s", (Group.Deactivated.TOPIC,)
            )
            assert await cursor.fetchone() == (1,)


async def test_one_of_many_concurrent_moves_is_accepted(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await slowed(world, await world.admin(organization), 60_000)
        group, *parents = [await world.group(organization) for _ in range(5)]
        calls = (status(world, f"{V1}{group}/move-group/", to(parent), admin) for parent in parents)
        assert sorted(await asyncio.gather(*calls)) == [201, 409, 409, 409]


async def test_many_clients_move_groups_of_one_organization_at_once(database_url: str) -> None:
    clients, moves_each = 16, 4
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, parent = await world.admin(organization), await world.group(organization)
        groups = [[await world.group(organization) for _ in range(moves_each)] for _ in range(clients)]

        async def move(own: list[UUID]) -> list[int]:
            return [await status(world, f"{V1}{group}/move-group/", to(parent), admin) for group in own]

        assert await asyncio.gather(*map(move, groups)) == [[201] * moves_each] * clients
        await world.catch_up()
        assert await parent_of(world, groups[-1][-1], admin) == str(parent)


async def test_of_moves_in_a_ring_one_is_not_carried_out(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await slowed(world, await world.admin(organization), 60_000)
        for _ in range(ROUNDS):
            ring = [await world.group(organization) for _ in range(4)]
            pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
            tasks = await asyncio.gather(*(requested(world, one, other, admin) for one, other in pairs))
            await carried_out(world, organization, *tasks)
            ended = [await attributes(world, task, admin) for task in tasks]
            assert sorted((each["state"], each["error"]) for each in ended) == [
                *[("done", None)] * 3,
                ("failed", "group-cycle"),
            ]
            for (one, other), end in zip(pairs, ended, strict=True):
                assert await parent_of(world, one, admin) == (str(other) if end["state"] == "done" else None)


async def pairs_of_groups(world: World) -> tuple[UUID, Person, list[tuple[UUID, UUID]]]:
    """Return an organization, its administrator, and two groups for each round."""
    organization = await world.organization()
    pairs = [(await world.group(organization), await world.group(organization)) for _ in range(ROUNDS)]
    return organization, await world.admin(organization), pairs


async def test_two_moves_that_exclude_each_other_are_not_both_carried_out(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, admin, pairs = await pairs_of_groups(world)
        for one, other in pairs:
            tasks = await asyncio.gather(requested(world, one, other, admin), requested(world, other, one, admin))
            await carried_out(world, organization, *tasks)
            parents = [await parent_of(world, one, admin), await parent_of(world, other, admin)]
            assert sorted(str(each) for each in parents) in [sorted([str(each), "None"]) for each in (one, other)]


async def test_nothing_comes_under_a_group_that_was_deactivated_at_that_moment(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, admin, pairs = await pairs_of_groups(world)
        for parent, child in pairs:
            task = await requested(world, child, parent, admin)
            _, deleted = await asyncio.gather(
                carried_out(world, organization, task), status(world, f"{V1}{parent}/", None, admin, "DELETE")
            )
            await world.catch_up()
            assert await parent_of(world, child, admin) == (None if deleted == 204 else str(parent))


async def individuals_of(world: World, group: UUID) -> list[str]:
    """The ids of a group's individuals, whether it is active or not."""
    answer = await world.get(ROSTER, world.service, **{"individual-group-id": str(group)})
    return [row["attributes"]["individual"]["id"] for row in answer["data"]]


async def carried_out(world: World, organization: UUID, *tasks: UUID) -> None:
    """Each task twice at once, as by a worker that was given up too early."""
    await asyncio.gather(*(world.identity.group_moves.carry_out(organization, task) for task in (*tasks, *tasks)))
    await world.catch_up()
