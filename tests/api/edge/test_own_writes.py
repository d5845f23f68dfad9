"""What a command has answered is in the next read of a client that names no position (semantics 0.2)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from adapters.log.codec import EventCodec
from adapters.log.reader import LogReader
from tests.support.edge import eventually
from tests.support.world.product import PASSWORD, Person, World, a_world
from workers.following import leases
from workers.following.followers import all_followers
from workers.following.projector import Projector

GROUPS = "/v2/individual-groups/"
LOGS = "/v1/individual-group-logs/"
CODES = "/v1/organization-codes/"


@asynccontextmanager
async def nothing_projected(world: World) -> AsyncIterator[None]:
    """Inside, read models are updated only while a request waits for them."""
    await world.catch_up()
    await world.stop_projecting()
    yield


async def waited_for(
    world: World, path: str, body: dict[str, Any] | None, by: Person, method: str = "POST", *, last: str | None = None
) -> httpx2.Response:
    """The answer to a command, for which read models were brought up while it waited; the `last` one when all stood."""
    request = world.client.request(method, path, json=body, headers=by.bearer)
    command = asyncio.create_task(request)
    await eventually(lambda: world.services.positions.waiting or command.done())
    if last is not None:
        await catch_up_without(world, last)
        await asyncio.wait({command}, timeout=0.4)  # it waits on, so it is not done
    assert not command.done(), f"{path} was answered before it could be read"
    await world.catch_up()
    return await command


async def catch_up_without(world: World, name: str) -> None:
    followers = [each for each in all_followers() if each.name != name]
    async with world.pool.connection() as connection:
        await Projector(connection, LogReader(EventCodec(world.keyring)), followers).catch_up()
        await leases.release_all(connection)


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


async def test_the_answer_waits_until_group_logs_show_the_addition(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        patient, group = await world.patient(clinic), await world.group(clinic)
        body = {"individual-ids": [str(patient.individual_id)]}
        async with nothing_projected(world):
            path = f"/v1/individual-groups/{group}/add-individuals/"
            answer = await waited_for(world, path, body, world.service, last="group_logs")
            assert answer.status_code == 201, answer.text
            assert await newest(world, group) == ("add", "individual")


async def test_the_answer_waits_until_users_show_a_share(database_url: str) -> None:
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


async def test_the_answer_waits_until_users_and_group_logs_follow(database_url: str) -> None:
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


@pytest.mark.parametrize("last", ["roles", "groups"])
async def test_the_answer_waits_until_roles_and_computed_groups_follow(database_url: str, last: str) -> None:
    async with a_world(database_url) as world:
        body = {"data": {"type": "organizations", "attributes": {"name": "clinic"}}}
        async with nothing_projected(world):
            answer = await waited_for(world, "/v1/organizations/", body, world.system, last=last)
            clinic = answer.json()["data"]["id"]
            roles = await world.get("/v1/roles/", world.system, **{"organization-id": clinic})
            assert [each["attributes"]["name"] for each in roles["data"]] == ["org.admin"]
            asked: dict[str, Any] = {"organization-id": clinic, "type": ["all_participants", "unassigned"]}
            groups = await world.get(GROUPS, world.system, **asked)
            assert len(groups["data"]) == 2


async def test_a_user_shows_a_further_individual_with_the_answer(database_url: str) -> None:
    async with a_world(database_url) as world:
        patient = await world.patient(await world.organization())
        further = str(uuid4())
        attributes = {"individual-id": further, "owner-id": str(patient.user_id)}
        body = {"data": {"type": "individuals", "attributes": attributes}}
        async with nothing_projected(world):
            await waited_for(world, "/v1/individuals/", body, world.service)
            user = await world.get(f"/v1/users/{patient.user_id}/", world.service)
            assert further in str(user["data"]["attributes"])


@pytest.mark.parametrize("last", ["users", "groups", "group_logs"])
async def test_the_answer_waits_until_group_logs_show_an_onboarding(database_url: str, last: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        group = await world.group(clinic)
        attributes = {
            "organization": str(clinic), "onboard-type": "patient", "patient-email": "seated@people.test",
            "notifications": [], "auto-sign-up": True, "auto-confirm": True, "password": PASSWORD,
            "individual-group-ids": [str(group)],
        }  # fmt: skip
        body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
        async with nothing_projected(world):
            answer = await waited_for(world, "/v1/onboarding-requests/", body, world.system, last=last)
            assert answer.status_code == 201, answer.text
            shown = await world.get(f"{GROUPS}{group}/", world.service)
            assert shown["data"]["attributes"]["individuals-count"] == 1
            assert await newest(world, group) == ("add", "individual")


@pytest.mark.parametrize("last", ["users", "groups", "group_logs"])
async def test_the_answer_waits_until_everything_shows_a_sign_up(database_url: str, last: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        group = await world.group(clinic)
        code = {"id": "North-1", "organization-id": str(clinic), "individual-group-id": str(group)}
        await world.post(CODES, {"data": {"type": "organization-codes", "attributes": code}}, world.system)
        body = {
            "first-name": "Ada", "last-name": "Byron", "organization-code": "North-1", "password": PASSWORD,
            "username": "seated@people.test",
        }  # fmt: skip
        async with nothing_projected(world):
            answer = await waited_for(world, "/v1/sign-up/", body, world.service, last=last)
            assert answer.status_code == 201, answer.text
            shown = await world.get(f"{GROUPS}{group}/", world.service)
            assert shown["data"]["attributes"]["individuals-count"] == 1
            assert await newest(world, group) == ("add", "individual")
            assert len((await world.get(f"{CODES}North-1/users/", world.service))["data"]) == 1
