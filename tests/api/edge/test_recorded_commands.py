"""A command that is in the log says so, whatever happens to the database between its commit and its answer (O27)."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest

from tests.support.proxy import Proxy, a_proxy
from tests.support.world.product import World, a_world

pytestmark = pytest.mark.slow

KEY = {"Idempotency-Key": "once"}


def creation(organization_id: UUID, name: str) -> dict[str, Any]:
    attributes = {"organization-id": str(organization_id), "name": name}
    return {"data": {"type": "individual-groups", "attributes": attributes}}


def cut_after_the_commit(world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next command loses the database where it would begin to wait for the read models."""
    shown = world.services.positions.shown

    async def losing(*args: Any) -> bool:
        monkeypatch.setattr(world.services.positions, "shown", shown)
        proxy.refuse()
        return await shown(*args)

    monkeypatch.setattr(world.services.positions, "shown", losing)


def assert_recorded(answer: httpx2.Response, position: int) -> None:
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (503, "read-model-behind"), answer.text
    assert (answer.headers["X-Position"], error["meta"]) == (str(position), {"position": position})


async def test_a_database_that_is_lost_after_the_commit_leaves_the_position(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_proxy(database_url) as proxy, a_world(proxy.dsn, position_wait=0.1) as world:
        organization_id = await world.organization()
        group_id = await world.group(organization_id, "before")
        await world.stop_projecting()
        world.services.pool.timeout = 0.5
        head = await world.identity.store.save()
        data = {"type": "individual-groups", "id": str(group_id), "attributes": {"name": "after"}}
        create: dict[str, Any] = {"url": "/v1/individual-groups/", "json": creation(organization_id, "made")}
        create["headers"] = world.system.bearer | KEY
        cut_after_the_commit(world, proxy, monkeypatch)
        assert_recorded(await world.client.post(**create), head + 1)
        await back(world, proxy)
        retried = await world.client.post(**create)
        assert (retried.status_code, retried.headers["X-Position"]) == (201, str(head + 1))
        cut_after_the_commit(world, proxy, monkeypatch)
        path = f"/v1/individual-groups/{group_id}/"
        changed = await world.client.patch(path, json={"data": data}, headers=world.system.bearer)
        assert_recorded(changed, head + 2)
        await back(world, proxy)
        assert await world.identity.store.save() == head + 2


async def back(world: World, proxy: Proxy) -> None:
    """The database is there again, and the pool's dead connections are gone."""
    proxy.admit()
    for _ in range(200):
        if (await world.client.get("/v1/roles/", headers=world.system.bearer)).status_code == 200:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the service stays away")


async def test_a_pool_that_is_exhausted_after_the_commit_leaves_the_position(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_world(database_url) as world:
        organization_id = await world.organization()
        taken: list[psycopg.AsyncConnection] = []
        shown = world.services.positions.shown

        async def exhausting(*args: Any) -> bool:
            world.services.pool.timeout = 0.2
            taken.extend([await world.services.pool.getconn() for _ in range(world.settings.pool_size)])
            return await shown(*args)

        head = await world.identity.store.save()
        monkeypatch.setattr(world.services.positions, "shown", exhausting)
        body = creation(organization_id, "made")
        answer = await world.client.post("/v1/individual-groups/", json=body, headers=world.system.bearer)
        for connection in taken:
            await world.services.pool.putconn(connection)
        assert_recorded(answer, head + 1)


async def test_no_refusal_of_a_recorded_command_lacks_its_position(database_url: str) -> None:
    """While all connections of the API are broken again and again."""
    async with a_world(database_url) as world:
        organization_id = await world.organization()
        stop = asyncio.Event()

        async def break_connections() -> None:
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner:
                while not stop.is_set():
                    await owner.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                        " AND application_name NOT LIKE '%projector%'"
                    )
                    await asyncio.sleep(0.05)

        async def create(name: str) -> tuple[str, httpx2.Response]:
            body = creation(organization_id, name)
            return name, await world.client.post("/v1/individual-groups/", json=body, headers=world.system.bearer)

        breaking = asyncio.create_task(break_connections())
        answers = [
            answer
            for batch in range(15)
            for answer in await asyncio.gather(*(create(f"group {batch}-{number}") for number in range(6)))
        ]
        stop.set()
        await breaking
        there = await names_of_groups(world, organization_id)
        refused = {name for name, answer in answers if "X-Position" not in answer.headers}
        assert refused.isdisjoint(there)
        assert {name for name, _ in answers} - refused <= there


async def names_of_groups(world: World, organization_id: UUID) -> set[str]:
    """As soon as the database can be read again."""
    asked = {"organization-id": str(organization_id), "page[limit]": "1000"}
    headers = world.system.bearer | {"X-At-Least-Position": str(await world.identity.store.save())}
    for _ in range(100):
        listed = await world.client.get("/v2/individual-groups/", params=asked, headers=headers)
        if listed.status_code == 200:
            return {group["attributes"]["name"] for group in listed.json()["data"]}
        await asyncio.sleep(0.05)
    raise AssertionError(listed.text)
