import asyncio
from typing import Any
from uuid import uuid4

from domain.organizations import OPERATOR_ID
from projections.projection import replicator_id
from tests.support.world import World, a_world
from workers import projectors

PATH = "/v1/replicators/"
ATTRIBUTES = {
    "classpath", "created-time", "last-poll-time", "mode", "version", "position", "head", "lag-events", "lag-seconds",
    "state", "error",
}  # fmt: skip


async def shown(world: World) -> dict[str, dict[str, Any]]:
    """Attributes by classpath."""
    answer = await world.get(PATH, world.system)
    return {row["attributes"]["classpath"]: row["attributes"] for row in answer["data"]}


async def record(world: World) -> None:
    """Some events, without waiting until they show."""
    await world.identity.organizations.create(f"org-{uuid4().hex}")


async def background(world: World) -> list[dict[str, Any]]:
    return [row for row in (await shown(world)).values() if row["mode"] == "background"]


async def test_there_is_a_row_for_every_projection_and_reaction(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        await world.catch_up()
        answer = await world.get(PATH, world.system)
        paths = [row["attributes"]["classpath"] for row in answer["data"]]
        assert paths == sorted(paths)
        assert {
            "projections.authorization.AuthorizationProjection",
            "projections.sessions.SessionsProjection",
            "projections.users.UsersProjection",
            "workers.reactions.MovesReaction",
        } < set(paths)
        meta = answer["meta"]
        assert (meta["page[limit]"], meta["page[offset]"], meta["page[total]"]) == (len(paths), 0, len(paths))
        assert all(row["type"] == "replicators" and set(row["attributes"]) == ATTRIBUTES for row in answer["data"])
        await world.get(PATH, world.system, 400, **{"page[limit]": 1})


async def test_one_of_them(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        await world.catch_up()
        users = str(replicator_id("users"))
        document = await world.get(f"{PATH}{users}/", world.system)
        assert document["data"]["id"] == users
        row = document["data"]["attributes"]
        assert (row["position"], row["lag-events"], row["lag-seconds"]) == (row["head"], 0, 0)
        await world.get(f"{PATH}{uuid4()}/", world.system, 404)
        await world.get(f"{PATH}users/", world.system, 400)


async def test_staff_and_services_see_them_and_nobody_else(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        staff = await world.provider(OPERATOR_ID)
        people = [await world.admin(clinic), await world.provider(clinic), await world.patient(clinic)]
        for path in (PATH, f"{PATH}{replicator_id('users')}/"):
            for allowed in (world.system, world.service, staff):
                await world.get(path, allowed)
            for other in people:
                await world.get(path, other, 403)
            assert (await world.client.get(path)).status_code == 401


async def test_lag_grows_while_the_worker_is_stopped_and_falls_when_it_runs(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        await world.catch_up()
        assert all(row["lag-events"] == 0 for row in await background(world))
        before = {path: row["position"] for path, row in (await shown(world)).items()}
        await record(world)
        first = await background(world)
        assert all(row["lag-events"] > 0 for row in first)
        await record(world)
        assert all(
            now["lag-events"] > then["lag-events"] for then, now in zip(first, await background(world), strict=True)
        )
        inline = [row for row in (await shown(world)).values() if row["mode"] == "inline"]
        assert all((row["state"], row["lag-events"], row["lag-seconds"]) == ("running", 0, 0) for row in inline)
        stop = asyncio.Event()
        worker = asyncio.create_task(projectors.run(world.settings, stop))
        while any(row["lag-events"] or row["state"] != "running" for row in await background(world)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert all(row["position"] > before[row["classpath"]] for row in await background(world))
        stop.set()
        await worker
        async with world.pool.connection() as connection:
            await connection.execute("UPDATE projections SET last_poll_at = last_poll_at - interval '1 minute'")
        await record(world)
        assert {row["state"] for row in await background(world)} == {"stopped"}
