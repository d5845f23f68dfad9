import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection

from domain.organizations.organizations import OPERATOR_ID
from projections.core.projection import replicator_id
from tests.support.followers import eventually
from tests.support.world.product import World, a_world
from workers.following import projectors

PATH = "/v1/replicators/"
ATTRIBUTES = {
    "classpath", "created-time", "last-poll-time", "mode", "version", "position", "head", "lag-events", "lag-seconds",
    "state", "error",
}  # fmt: skip


@asynccontextmanager
async def a_bystander(database_url: str) -> AsyncIterator[AsyncConnection]:
    """A connection past the product, as the owner."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        yield connection


async def shown(world: World) -> dict[str, dict[str, Any]]:
    """Attributes by classpath."""
    answer = await world.get(PATH, world.system)
    return {row["attributes"]["classpath"]: row["attributes"] for row in answer["data"]}


async def record(world: World) -> None:
    """Some events, without waiting until they show."""
    await world.identity.organizations.create(world.administrator, f"org-{uuid4().hex}")


async def background(world: World) -> list[dict[str, Any]]:
    return [row for row in (await shown(world)).values() if row["mode"] == "background"]


async def test_there_is_a_row_for_every_projection_and_reaction(database_url: str) -> None:
    """From the first start on, before any worker was there."""
    async with a_world(database_url, projecting=False) as world:
        answer = await world.get(PATH, world.system)
        paths = [row["attributes"]["classpath"] for row in answer["data"]]
        assert paths == sorted(paths)
        assert {
            "projections.access.authorization.AuthorizationProjection",
            "projections.sessions.sessions.SessionsProjection",
            "projections.people.users.UsersProjection",
            "workers.following.reactions.MovesReaction",
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


async def test_only_staff_and_services_see_replicators(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, staff = await world.organization(), await world.provider(OPERATOR_ID)
        people = [await world.admin(clinic), await world.provider(clinic), await world.patient(clinic)]
        for path in (PATH, f"{PATH}{replicator_id('users')}/"):
            for allowed in (world.system, world.service, staff):
                await world.get(path, allowed)
            for other in people:
                await world.get(path, other, 403)
            assert (await world.client.get(path)).status_code == 401


async def test_a_failing_read_model_says_so_and_the_others_go_on(database_url: str) -> None:
    async with a_world(database_url, position_wait=0.1) as world, a_bystander(database_url) as bystander:
        clinic = await world.organization()
        await world.catch_up()
        poisoned = await append_undecodable(bystander, "group.renamed")
        organization = await world.client.post(
            "/v1/organizations/", json={"data": {"type": "organizations", "attributes": {"name": "later"}}},
            headers=world.system.bearer,
        )  # fmt: skip
        assert organization.status_code == 201  # organizations go on
        behind = {"X-At-Least-Position": organization.headers["X-Position"], **world.system.bearer}
        await eventually(bystander, "SELECT count(*) FROM projections WHERE error IS NOT NULL", 1)
        rows = await shown(world)
        failed = rows.pop("projections.groups.groups.GroupsProjection")
        assert (failed["state"], failed["position"]) == ("failed", poisoned - 1)
        assert (failed["lag-events"], failed["head"]) == (failed["head"] - failed["position"], poisoned + 4)
        assert failed["lag-seconds"] > 0
        assert f" at position {poisoned}, event " in failed["error"]
        assert {row["state"] for row in rows.values()} == {"running"}
        groups = f"/v1/individual-groups/?organization-id={clinic}"
        assert (await world.client.get(groups, headers=world.system.bearer)).status_code == 200
        assert (await world.client.get(groups, headers=behind)).status_code == 503
        await bystander.execute("UPDATE events SET topic = 'unknown.topic' WHERE notification_id = %s", [poisoned])
        await eventually(bystander, "SELECT count(*) FROM projections WHERE error IS NOT NULL", 0)
        assert {row["state"] for row in (await shown(world)).values()} == {"running"}
        assert {row["error"] for row in (await shown(world)).values()} == {None}
        assert (await world.client.get(groups, headers=behind)).status_code == 200


async def append_undecodable(connection: AsyncConnection, topic: str) -> int:
    """Append an event that cannot be decoded, and return its position."""
    cursor = await connection.execute(
        "WITH head AS (UPDATE log_head SET position = position + 1 WHERE log = 'identity' RETURNING position)"
        " INSERT INTO events (originator_id, originator_version, notification_id, topic, state)"
        " SELECT gen_random_uuid(), 1, position, %s, 'x' FROM head RETURNING notification_id", [topic],
    )  # fmt: skip
    ((position,),) = await cursor.fetchall()
    return int(position)


async def test_a_second_worker_and_lost_connections_change_nothing(database_url: str) -> None:
    async with a_world(database_url) as world, a_bystander(database_url) as bystander:
        stop = asyncio.Event()
        standby = asyncio.create_task(projectors.run(world.settings, stop))
        working = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = {}"
        await eventually(bystander, working.format("'rollbook-projector'"), 2)
        for _ in range(2):
            await record(world)
            await world.catch_up()
            assert {row["state"] for row in (await shown(world)).values()} == {"running"}
            assert {row["lag-events"] for row in (await shown(world)).values()} == {0}
            await bystander.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name IN ('rollbook-projector', 'rollbook-listener')"
            )
        stop.set()
        await standby


async def test_lag_grows_without_a_worker_and_falls_with_one(database_url: str) -> None:
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
