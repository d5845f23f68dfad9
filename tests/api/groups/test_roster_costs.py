"""Changing rosters by as many people as a body may name delays no other request (ruling O8). All of them exist."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import orjson
import pytest

from domain.people.individuals import Individual
from domain.people.users import User
from tests.support.loop_lag import LoopLag
from tests.support.world.product import World, a_world

pytestmark = pytest.mark.slow

MOST = 10_000
MAX_LAG = 0.1
ROUNDS = 3
"""Of what is measured the least counts, because other tests run at the same time."""


class Crowd(NamedTuple):
    """An organization with as many people of each kind as one command may name."""

    world: World
    organization: UUID
    individuals: list[str]
    providers: list[str]


@asynccontextmanager
async def a_crowd(database_url: str) -> AsyncIterator[Crowd]:
    async with a_world(database_url, projecting=False, position_wait=0) as world:
        organization = await world.organization()
        individuals = [Individual.create(uuid4(), "organization", organization) for _ in range(MOST)]
        await world.identity.store.save(*individuals)
        providers = [a_provider(organization) for _ in range(MOST)]
        await world.identity.store.save(*providers)
        yield Crowd(world, organization, [str(each.id) for each in individuals], [str(each.id) for each in providers])


def a_provider(organization: UUID) -> User:
    """Without an address: each personal value of a test is sought in the whole log afterwards."""
    user = User.create(uuid4(), classification="customer", individual_id=uuid4())
    user.join(organization)
    user.set_password("hashed")
    user.confirm()
    return user


class Measured:
    """The longest time that each command held the event loop, the least of all rounds."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.seconds: dict[str, float] = {}

    @property
    def too_long(self) -> dict[str, float]:
        return {name: seconds for name, seconds in self.seconds.items() if seconds >= MAX_LAG}

    async def post(self, name: str, path: str, body: Any) -> Any:
        """The attributes of the group that the command has answered, and its id."""
        headers = {**self._world.system.bearer, "Content-Type": "application/json"}
        content = orjson.dumps(body)
        async with LoopLag() as lag:
            answer = await self._world.client.post(path, content=content, headers=headers)
        assert answer.status_code == 201, answer.text
        self.seconds[name] = min(lag.seconds, self.seconds.get(name, lag.seconds))
        return {**answer.json()["data"]["attributes"], "id": answer.json()["data"]["id"]}


@pytest.mark.timeout(300)
async def test_the_largest_changes_of_rosters_delay_no_other_request(database_url: str) -> None:
    async with a_crowd(database_url) as crowd:
        measured = Measured(crowd.world)
        for _ in range(ROUNDS):
            await change(crowd, measured, await create(crowd, measured))
            if not measured.too_long:
                break
        assert measured.too_long == {}


async def create(crowd: Crowd, measured: Measured) -> str:
    """Return a group with all people."""
    people = {"leader-ids": crowd.providers, "individual-ids": crowd.individuals}
    attributes = {"organization-id": str(crowd.organization), "name": "all", **people}
    made = await measured.post(
        "create", "/v1/individual-groups/", {"data": {"type": "individual-groups", "attributes": attributes}}
    )
    assert (len(made["leaders"]), made["individuals-count"]) == (MOST, MOST)
    return str(made["id"])


async def change(crowd: Crowd, measured: Measured, group: str) -> None:
    other = await crowd.world.group(crowd.organization)
    path = f"/v1/individual-groups/{group}"
    individuals: dict[str, Any] = {"individual-ids": crowd.individuals, "with-individuals": True}
    moving = {**individuals, "remove-from-group": group}
    moved = await measured.post("move", f"/v1/individual-groups/{other}/add-individuals/", moving)
    assert sorted(moved["individual-ids"]) == sorted(crowd.individuals)
    added = await measured.post("add", f"{path}/add-individuals/", individuals)
    assert (len(added["individuals"]), len(added["leaders"])) == (MOST, MOST)
    members = {"user-ids": crowd.providers, "with-members": True}
    added = await measured.post("add members", f"{path}/add-members/", members)
    assert (len(added["members"]), len(added["leaders"])) == (MOST, MOST)
    removed = await measured.post("remove", f"{path}/remove-individuals/", {**individuals, "with-members": True})
    assert (removed["individuals"], len(removed["members"])) == ([], MOST)
    removed = await measured.post("remove members", f"{path}/remove-members/", members)
    assert removed["members"] == []
    strangers = [f"stranger-{number}@people.test" for number in range(MOST)]
    await measured.post("remove strangers", f"{path}/remove-members/", {"user-emails": strangers})
