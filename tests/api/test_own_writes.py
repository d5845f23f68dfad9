"""What a command has answered is in the next read of a client that names no position (semantics 0.2)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2

from tests.support.edge import eventually
from tests.support.world import Person, World, a_world

GROUPS = "/v2/individual-groups/"
LOGS = "/v1/individual-group-logs/"


@asynccontextmanager
async def nothing_projected(world: World) -> AsyncIterator[None]:
    """Inside, read models stand still until somebody waits for them."""
    await world.catch_up()
    await world.stop_projecting()
    yield


async def waited_for(
    world: World, path: str, body: dict[str, Any] | None, by: Person, method: str = "POST"
) -> httpx2.Response:
    """The answer to a command, for which read models were brought up while it waited."""
    request = world.client.request(method, path, json=body, headers=by.bearer)
    command = asyncio.create_task(request)
    await eventually(lambda: world.services.positions.waiting or command.done())
    assert not command.done(), f"{path} was answered before it could be read"
    await world.catch_up()
    return await command


async def newest(world: World, group_id: UUID) -> tuple[str, str]:
    rows = await world.get(LOGS, world.service, **{"individual-group-id": str(group_id)})
    newest = rows["data"][0]["attributes"]
    return newest["event"], newest["subject"]


async def test_groups_and_their_logs_show_an_unshare_with_its_answer(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        patient = await world.patient(clinic)
        rosters: dict[str, Any] = {"individual-ids": [str(patient.individual_id)]}
        group = await world.group(clinic, **rosters)
        body = {"with": {"type": "organization", "id": str(clinic)}}
        async with nothing_projected(world):
            answer = await waited_for(world, f"/v1/individuals/{patient.individual_id}/unshare/", body, world.service)
            assert answer.status_code == 201
            shown = await world.get(f"{GROUPS}{group}/", world.service)
            assert shown["data"]["attributes"]["individuals-count"] == 0
            assert await newest(world, group) == ("remove", "individual")


async def test_users_of_an_organization_hold_whoever_is_shared_with_it_with_the_answer(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        patient = await world.patient(other)
        body = {"with": {"type": "organization", "id": str(clinic)}}
        asked = {"organization-id": str(clinic), "filter[include-participants]": "true"}
        async with nothing_projected(world):
            answer = await waited_for(world, f"/v1/individuals/{patient.individual_id}/share/", body, world.service)
            assert answer.status_code == 201
            users = await world.get("/v1/users/", world.service, **asked)
            assert [user["id"] for user in users["data"]] == [str(patient.user_id)]


async def test_lists_lose_a_deactivated_group_with_the_answer(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        group, kept = await world.group(clinic), await world.group(clinic)
        async with nothing_projected(world):
            answer = await waited_for(world, f"/v1/individual-groups/{group}/", None, world.service, "DELETE")
            assert answer.status_code == 204
            groups = await world.get(GROUPS, world.service, **{"organization-id": str(clinic)})
            assert [each["id"] for each in groups["data"]] == [str(kept)]


async def test_users_and_group_logs_show_who_comes_and_goes_with_the_answer(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        provider = await world.provider(other)
        rosters: dict[str, Any] = {"leader-ids": [str(provider.user_id)]}
        group = await world.group(other, **rosters)
        named = {"user-id": str(provider.user_id)}
        members = {"data": {"type": "user-organizations", "attributes": {**named, "organization-id": str(clinic)}}}
        goes = {"data": {"type": "organizations", "attributes": named}}
        for path, body, of, expected in (
            ("/v1/user-organizations/", members, clinic, [str(provider.user_id)]),
            (f"/v1/organizations/{clinic}/remove-user/", goes, clinic, []),
            (f"/v1/organizations/{clinic}/add-user/", goes, clinic, [str(provider.user_id)]),
            (f"/v1/organizations/{other}/remove-user/", goes, other, []),
        ):
            async with nothing_projected(world):
                answer = await waited_for(world, path, body, world.system)
                assert answer.status_code == 201, answer.text
                users = await world.get("/v1/users/", world.service, **{"organization-id": str(of)})
                assert [user["id"] for user in users["data"]] == expected, path
        assert await newest(world, group) == ("remove", "leader")
