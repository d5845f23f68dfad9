"""Clients of two API processes who change the same things at once: each command succeeds (ruling O17)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.api.groups.test_groups import V1, V2
from tests.api.groups.test_logs import told
from tests.api.groups.test_moves import to
from tests.api.groups.test_rosters import roster
from tests.support.parts import running_parts
from tests.support.running import KEY_SETTINGS
from tests.support.world.product import SERVICE, Person, World, a_world, role_id

pytestmark = pytest.mark.slow

PROCESSES = 2
MANY = 64
CLIENTS = 16
GROUPS = 200
CHILDREN = 10
"""Of a node of the imported tree."""
PATIENCE = 60.0


@dataclass
class Processes:
    """Two API processes and a worker. `world` asks them too; its own commands come from a third process."""

    world: World
    clients: list[httpx2.AsyncClient]

    def __post_init__(self) -> None:
        self._turns = cycle(self.clients)

    async def post(self, path: str, body: Any, by: Person) -> httpx2.Response:
        """By the process whose turn it is."""
        return await next(self._turns).post(path, json=body, headers=by.bearer)

    async def at_once(self, commands: Iterable[tuple[str, Any]], by: Person) -> Counter[int]:
        """How often each status was answered."""
        answers = await asyncio.gather(*(self.post(path, body, by) for path, body in commands))
        return Counter(answer.status_code for answer in answers)

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Until the worker has come so far."""
        end = monotonic() + PATIENCE
        while not await holds():
            assert monotonic() < end, "the worker has not come so far"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def two_processes(database_url: str, folder: Path) -> AsyncIterator[Processes]:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(a_world(database_url, projecting=False, **KEY_SETTINGS))
        accounts = "{}/{}:{}".format(*SERVICE)
        urls, _ = stack.enter_context(
            running_parts(database_url, folder, PROCESSES, ROLLBOOK_SERVICE_ACCOUNTS=accounts)
        )
        clients = [await stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=PATIENCE)) for url in urls]
        yield Processes(world, clients)


async def parents(world: World, organization: UUID, by: Person) -> dict[str, str | None]:
    """Of every group, as they are listed."""
    found: dict[str, str | None] = {}
    while True:
        query = {"organization-id": str(organization), "page[limit]": 100, "page[offset]": len(found)}
        rows = (await world.get(V2, by, **query))["data"]
        for row in rows:
            parent = row["attributes"]["parent-group"]
            found[row["id"]] = None if parent is None else parent["id"]
        if len(rows) < 100:
            return found


async def test_moves_in_one_organization(database_url: str, tmp_path: Path) -> None:
    async with two_processes(database_url, tmp_path) as processes:
        world = processes.world
        organization = await world.organization()
        admin, parent = await world.admin(organization), await world.group(organization)
        groups = [await world.group(organization) for _ in range(MANY)]
        moves = [(f"{V1}{group}/move-group/", to(parent)) for group in groups]
        assert await processes.at_once(moves, admin) == {201: MANY}

        async def moved() -> bool:
            found = await parents(world, organization, admin)
            return all(found[str(group)] == str(parent) for group in groups)

        await processes.until(moved)


@dataclass
class Import:
    """A tree of groups, each created and then moved under its parent, by several clients at once."""

    processes: Processes
    organization: UUID
    by: Person
    size: int
    statuses: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._left = iter(range(self.size))
        self._made: list[asyncio.Future[str]] = [loop.create_future() for _ in range(self.size)]

    async def run(self) -> dict[str, str | None]:
        """The parents that were asked for."""
        await asyncio.gather(*(self._client() for _ in range(CLIENTS)))
        ids = [each.result() for each in self._made]
        return {group: None if place == 0 else ids[(place - 1) // CHILDREN] for place, group in enumerate(ids)}

    async def _client(self) -> None:
        for place in self._left:
            given = {"name": f"Group {place}", "organization-id": str(self.organization)}
            body = {"data": {"type": "individual-groups", "attributes": given}}
            created = await self._sent(V1, body)
            self._made[place].set_result(created["data"]["id"])
            if place:
                parent = await self._made[(place - 1) // CHILDREN]
                await self._sent(f"{V1}{created['data']['id']}/move-group/", {"to-parent-group-id": parent})

    async def _sent(self, path: str, body: Any) -> Any:
        answer = await self.processes.post(path, body, self.by)
        self.statuses[answer.status_code] += 1
        assert answer.status_code == 201, answer.text
        return answer.json()


async def test_an_import_of_a_tree_by_many_clients(database_url: str, tmp_path: Path) -> None:
    async with two_processes(database_url, tmp_path) as processes:
        organization = await processes.world.organization()
        admin = await processes.world.admin(organization)
        asked = await Import(processes, organization, admin, GROUPS).run()

        async def placed() -> bool:
            return await parents(processes.world, organization, admin) == asked

        await processes.until(placed)


def users(*people: Person) -> dict[str, list[str]]:
    return {"user-ids": [str(each.user_id) for each in people]}


def belonging(person: Person, **more: str) -> dict[str, Any]:
    return {"data": {"type": "organizations", "attributes": {"user-id": str(person.user_id), **more}}}


async def test_additions_and_removals_on_the_same_rosters(database_url: str, tmp_path: Path) -> None:
    """Of the same individuals and users, in and out of two groups, which also give them to each other."""
    async with two_processes(database_url, tmp_path) as processes:
        world = processes.world
        organization = await world.organization()
        admin = await world.admin(organization)
        one, other = await world.group(organization, "one"), await world.group(organization, "other")
        body = {"individual-ids": [str(await world.individual(organization)) for _ in range(5)]}
        nurses = users(*[await world.provider(organization) for _ in range(3)])
        changes: list[tuple[str, Any]] = [
            (f"{V1}{one}/add-individuals/", body),
            (f"{V1}{one}/remove-individuals/", body),
            (f"{V1}{other}/add-individuals/", {**body, "remove-from-group": str(one)}),
            (f"{V1}{one}/add-individuals/", {**body, "remove-from-group": str(other)}),
            (f"{V1}{one}/add-leaders/", nurses),
            (f"{V1}{one}/remove-leaders/", nurses),
            (f"{V1}{one}/add-members/", {**nurses, "remove-from-group": str(other)}),
            (f"{V1}{other}/add-members/", {**nurses, "remove-from-group": str(one)}),
        ]
        assert await processes.at_once([each for each in changes for _ in range(MANY // 8)], admin) == {201: MANY}
        for group, kind in ((one, "individual"), (other, "individual"), (one, "leader"), (one, "member")):
            rows = await told(world, admin, **{"individual-group-id": str(group), "page[limit]": 1000})
            events = Counter((event, individual) for event, subject, individual in rows if subject == kind)
            balance = Counter({key[1]: 0 for key in events})
            for (event, individual), number in events.items():
                balance[individual] += number if event == "add" else -number
            seated = await roster(world, group, kind)
            assert balance.total() == len(seated), "each change is told once"
            if kind == "individual":
                assert set(+balance) == set(seated)


async def test_joins_and_leaves_of_the_same_people(database_url: str, tmp_path: Path) -> None:
    """They all touch the organization's administrators, and each person's joins and leaves the person."""
    async with two_processes(database_url, tmp_path) as processes:
        world = processes.world
        organization, home = await world.organization(), await world.organization()
        path, group = f"/v1/organizations/{organization}/", await world.group(organization)
        await world.admin(organization)
        people = [await world.provider(home) for _ in range(4)]
        bodies = [belonging(each) for each in people]
        assert await processes.at_once([(f"{path}add-user/", body) for body in bodies], world.system) == {201: 4}
        assert await processes.at_once([(f"{V1}{group}/add-members/", users(*people))], world.system) == {201: 1}
        role = {"role-id": str(role_id(organization, "org.admin"))}
        with_role = [
            {"data": {**body["data"], "attributes": {**body["data"]["attributes"], **role}}} for body in bodies
        ]
        changes = [(f"{path}add-user/", body) for body in (*bodies, *with_role)]
        changes += [(f"{path}remove-user/", body) for body in (*bodies, *bodies)]
        assert await processes.at_once(changes * (MANY // 16), world.system) == {201: MANY}
        listed = await world.get("/v1/user-organizations/", world.system, **{"organization-id": str(organization)})
        inside = {row["attributes"]["user-id"] for row in listed["data"]}
        held = await world.get("/v1/role-users/", world.system, **role)
        assert {row["attributes"]["user"]["id"] for row in held["data"]} <= inside
        assert set(await roster(world, group, "member")) <= inside


async def test_grants_of_one_role(database_url: str, tmp_path: Path) -> None:
    async with two_processes(database_url, tmp_path) as processes:
        world = processes.world
        organization = await world.organization()
        role = str(role_id(organization, "org.admin"))
        people = [str((await world.provider(organization)).user_id) for _ in range(MANY)]
        grants = [
            ("/v1/role-users/", {"data": {"type": "role-users", "attributes": {"role-id": role, "user-id": person}}})
            for person in people
        ]
        assert await processes.at_once(grants, world.system) == {201: MANY}
        held = await world.get("/v1/role-users/", world.system, **{"role-id": role, "page[limit]": MANY})
        assert {row["attributes"]["user"]["id"] for row in held["data"]} == set(people)
