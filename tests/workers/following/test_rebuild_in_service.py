"""All projections are rebuilt while users work: no request fails, and no list goes back."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from projections import registry
from tests.support.world.product import Person, World, a_world
from workers.following.rebuild import rebuild

pytestmark = pytest.mark.slow


async def again_and_again(finished: asyncio.Event, ask: Callable[[], Awaitable[int]]) -> int:
    """How often it was asked; each number told is at least the one before."""
    last = count = 0
    while not finished.is_set():
        told = await ask()
        assert told >= last
        last, count = told, count + 1
    return count


def listing(world: World, path: str, by: Person, **parameters: str) -> Callable[[], Awaitable[int]]:
    """The position of a list that must not get shorter."""
    longest = 0

    async def ask() -> int:
        nonlocal longest
        answer = await world.get(path, by, 200, **parameters)
        assert answer["meta"]["page[total]"] >= longest
        longest = answer["meta"]["page[total]"]
        return int(answer["meta"]["position"])

    return ask


def check(world: World, by: Person, group: UUID) -> Callable[[], Awaitable[int]]:
    """Return whether a leader may write their group, which is always true."""

    async def ask() -> int:
        body = {"user-id": str(by.user_id), "access-query": [f"group:{group}:write"]}
        assert (await world.post("/v1/authz-resource-access/", body, by))["allow"]
        return 1

    return ask


async def test_no_request_fails_during_rebuilds_of_all_projections(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        ann = await world.provider(clinic, "ann@people.test")
        group = await world.group(clinic, "Led by Ann", **{"leader-ids": [str(ann.user_id)]})

        async def make_a_group() -> int:
            await world.group(clinic)
            return 1

        finished = asyncio.Event()
        asking = asyncio.gather(
            again_and_again(finished, make_a_group),
            again_and_again(finished, check(world, ann, group)),
            again_and_again(finished, listing(world, "/v2/individual-groups/", ann)),
            again_and_again(finished, listing(world, "/v1/users/", world.system, **{"organization-id": str(clinic)})),
            again_and_again(finished, listing(world, "/v1/organizations/", world.system)),
        )
        said: list[str] = []
        try:
            await rebuild(world.settings, [], said.append)
        finally:
            finished.set()
        assert min(await asking) > 5
        assert sum("swapped in" in line for line in said) == sum(
            len(registry.projected_from(log)) for log in registry.LOGS
        )
