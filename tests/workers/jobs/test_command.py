"""`rollbook jobs`: an operator sees what waits and what is dead, and retries it, without SQL."""

import asyncio
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from tests.support.followers import eventually
from tests.support.jobs import a_queue, enqueue_notes
from tests.support.logins import application_dsn
from tests.support.running import rollbook
from tests.workers.jobs.test_queue import a_bench, working
from workers.jobs.kinds import BackOff

pytestmark = pytest.mark.slow

DEAD = "UPDATE procrastinate_jobs SET attempts = %s"


async def die(database_url: str, connection: AsyncConnection, *numbers: int) -> None:
    """Let these notes fail for good."""
    await enqueue_notes(connection, *numbers)
    await connection.execute(DEAD, (BackOff.attempts - 1,))
    async with working(a_queue(application_dsn(database_url), fail=True)):
        await eventually(connection, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'", len(numbers))


async def jobs_command(database_url: str, *arguments: str) -> tuple[int, str, str]:
    done = await asyncio.to_thread(rollbook, "jobs", *arguments, DATABASE_URL=database_url)
    return done.returncode, done.stdout, done.stderr


async def test_the_list_shows_dead_and_waiting_jobs(database_url: str) -> None:
    async with a_bench(database_url) as connection:
        assert await jobs_command(database_url, "list") == (0, "No job is waiting, running or dead.\n", "")
        await die(database_url, connection, 1)
        await enqueue_notes(connection, 2)
        status, listed, _ = await jobs_command(database_url, "list")
    dead, about, error, waiting, other = listed.splitlines()
    assert status == 0
    assert dead.startswith(f"1  note  dead  attempts {BackOff.attempts}  since 20")
    assert about == f"    number {UUID(int=1)}"
    assert error.startswith("    last error: ValueError in tests/support/jobs.py:")
    assert waiting.startswith("2  note  waiting  attempts 0  since 20")
    assert other == f"    number {UUID(int=2)}"
    assert "secret" not in listed


async def test_a_dead_job_is_done_once_it_is_retried(database_url: str) -> None:
    async with a_bench(database_url) as connection:
        await die(database_url, connection, 1, 2)
        await connection.execute("DELETE FROM notes")
        assert await jobs_command(database_url, "retry", "1") == (0, "job 1 will run again\n", "")
        async with working(a_queue(application_dsn(database_url))):
            await eventually(connection, "SELECT array_agg(id) FROM procrastinate_jobs", [2])
            assert await jobs_command(database_url, "retry", "--all") == (0, "job 2 will run again\n", "")
            await eventually(connection, "SELECT count(*) FROM procrastinate_jobs", 0)
        await eventually(connection, "SELECT array_agg(number ORDER BY number) FROM notes", [1, 2])
        await eventually(connection, "SELECT count(*) FROM job_failures", 0)
        assert await jobs_command(database_url, "retry", "--all") == (0, "No job is dead.\n", "")


async def test_a_retried_job_has_all_its_attempts(database_url: str) -> None:
    async with a_bench(database_url) as connection:
        await die(database_url, connection, 1)
        await jobs_command(database_url, "retry", "1")
        async with working(a_queue(application_dsn(database_url), fail=True)):
            await eventually(connection, "SELECT attempts FROM procrastinate_jobs WHERE status = 'todo'", 2)


async def test_only_dead_jobs_are_retried(database_url: str) -> None:
    async with a_bench(database_url) as connection:
        await enqueue_notes(connection, 1)
        refusal = "rollbook: no dead job has the id 1; `rollbook jobs list` shows them\n"
        assert await jobs_command(database_url, "retry", "1") == (1, "", refusal)
        for arguments in ((), ("1", "--all")):
            assert (await jobs_command(database_url, "retry", *arguments))[0] == 2
