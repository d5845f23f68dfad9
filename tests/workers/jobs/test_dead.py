"""A job that dies leaves nothing waiting: its task has failed, and the group can be moved again."""

from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from domain.groups.moves import GroupMoves
from tests.support.followers import eventually
from tests.support.jobs import a_worker
from tests.support.world.product import World, a_world
from workers.jobs import worker as jobs
from workers.jobs.kinds import BackOff
from workers.jobs.queue import dead_jobs
from workers.jobs.worker import record_deaths

ENDED = "SELECT state || ' ' || coalesce(error, '') FROM tasks"


async def request_move(world: World) -> tuple[UUID, dict[str, str]]:
    """The group, and what asks for its move."""
    clinic = await world.organization()
    above, group = await world.group(clinic), await world.group(clinic)
    body = {"to-parent-group-id": str(above)}
    await world.post(f"/v1/individual-groups/{group}/move-group/", body, world.system)
    return group, body


async def refused_again(world: World, group: UUID, body: dict[str, str]) -> Any:
    return await world.post(f"/v1/individual-groups/{group}/move-group/", body, world.system, 409)


@pytest.mark.parametrize(
    "death",
    [
        "UPDATE procrastinate_jobs SET status = 'failed'",
        f"UPDATE procrastinate_jobs SET status = 'doing', attempts = {BackOff.attempts - 1}",
        "DELETE FROM procrastinate_jobs",
    ],
    ids=["failed", "killed its last worker", "is gone"],
)
async def test_the_group_of_a_dead_move_can_be_moved_again(database_url: str, death: str) -> None:
    async with a_world(database_url) as world, await AsyncConnection.connect(database_url, autocommit=True) as owner:
        group, body = await request_move(world)
        await eventually(owner, "SELECT count(*) FROM procrastinate_jobs", 1)
        await refused_again(world, group, body)
        await owner.execute(death.encode())
        async with a_worker(world):
            await eventually(owner, ENDED, "failed job-dead", seconds=30)
            await owner.execute("DELETE FROM procrastinate_jobs")
            again = await world.post(f"/v1/individual-groups/{group}/move-group/", body, world.system)
            task = f"/v1/tasks/{again['data']['task-id']}/"
            await eventually(owner, "SELECT count(*) FROM tasks WHERE state = 'done'", 1, seconds=30)
            assert (await world.get(task, world.system))["data"]["attributes"]["state"] == "done"


async def test_a_move_that_goes_on_failing_shows_as_failed(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("a secret value")

    monkeypatch.setattr(GroupMoves, "carry_out", fail)
    monkeypatch.setattr(BackOff, "get_retry_decision", lambda *_, **__: None)
    async with a_world(database_url) as world, await AsyncConnection.connect(database_url, autocommit=True) as owner:
        await request_move(world)
        async with a_worker(world):
            await eventually(owner, ENDED, "failed job-dead", seconds=30)
        assert await dead_jobs(owner) == 1


async def test_a_move_that_waits_for_its_job_is_left_alone(database_url: str) -> None:
    """For its time, and for the reaction that makes it."""
    async with a_world(database_url) as world, await AsyncConnection.connect(database_url, autocommit=True) as owner:
        await request_move(world)
        await eventually(owner, "SELECT count(*) FROM procrastinate_jobs", 1)
        await owner.execute("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour'")
        app = jobs.job_app(world.job_commands)
        async with app.open_async(world.pool):
            await record_deaths(app, world.job_commands)
            await owner.execute("DELETE FROM procrastinate_jobs")
            await owner.execute("UPDATE projections SET position = 0 WHERE name = 'reaction_moves'")
            await record_deaths(app, world.job_commands)
        await eventually(owner, "SELECT count(*) FROM events WHERE topic = 'group-tree.move-failed'", 0)
