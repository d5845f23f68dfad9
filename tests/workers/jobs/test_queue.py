"""Jobs: enqueued with what asked for them, retried, dead in plain sight, saved from killed workers."""

import asyncio
import contextlib
import importlib.resources
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from procrastinate import App
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from structlog.testing import CapturingLogger

from tests.support.followers import eventually
from tests.support.jobs import a_queue, a_worker_process, enqueue_notes
from tests.support.logins import application_dsn
from tests.support.world.product import settings_for
from workers.jobs import kinds as job_kinds
from workers.jobs import worker as jobs
from workers.jobs.kinds import BackOff
from workers.jobs.queue import dead_jobs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
MIGRATION = ROOT / "migrations" / "0003_jobs.sql"


@contextlib.asynccontextmanager
async def a_bench(database_url: str) -> AsyncIterator[AsyncConnection]:
    """A connection, and the table that the tests' task notes in."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("CREATE TABLE notes (number integer); GRANT ALL ON notes TO rollbook_app")
        yield connection


@contextlib.asynccontextmanager
async def working(app: App, stalled: float = jobs.STALLED) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(jobs.work(app, stop, stalled=stalled))
    try:
        yield
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_the_schema_is_the_librarys_own() -> None:
    schema = (importlib.resources.files("procrastinate.sql") / "schema.sql").read_text()
    assert schema.rstrip("\n") in MIGRATION.read_text(), "procrastinate has another schema now: a new migration"


async def test_a_job_exists_exactly_when_its_transaction_commits(database_url: str) -> None:
    async with a_bench(database_url) as connection:
        with contextlib.suppress(ZeroDivisionError):
            async with connection.transaction():
                await enqueue_notes(connection, 1)
                raise ZeroDivisionError
        await eventually(connection, "SELECT count(*) FROM procrastinate_jobs", 0)
        async with connection.transaction():
            await enqueue_notes(connection, 1, 2)
        await eventually(connection, "SELECT count(*) FROM procrastinate_jobs", 2)


async def test_a_worker_executes_enqueued_jobs(database_url: str) -> None:
    async with a_bench(database_url) as connection, working(a_queue(application_dsn(database_url))):
        await enqueue_notes(connection, 1, 2, 3)
        await eventually(connection, "SELECT array_agg(number ORDER BY number) FROM notes", [1, 2, 3])
        await eventually(connection, "SELECT count(*) FROM procrastinate_jobs", 0)


async def test_a_failing_job_is_tried_again_later_and_later(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = a_queue(application_dsn(database_url), fail=True)
    async with a_bench(database_url) as connection, working(app):
        await enqueue_notes(connection, 1)
        await eventually(connection, "SELECT attempts FROM procrastinate_jobs", 2)
        cursor = await connection.execute("SELECT status, scheduled_at - now() > '1 second' FROM procrastinate_jobs")
        assert await cursor.fetchone() == ("todo", True)
        assert await dead_jobs(connection) == 0
    assert "secret" not in caplog.text


async def test_a_job_that_goes_on_failing_is_dead_and_counted(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = CapturingLogger()
    monkeypatch.setattr(job_kinds, "_log", logger)
    async with a_bench(database_url) as connection:
        await enqueue_notes(connection, 1)
        await connection.execute("UPDATE procrastinate_jobs SET attempts = %s", (BackOff.attempts - 1,))
        async with working(a_queue(application_dsn(database_url), fail=True)):
            await eventually(connection, "SELECT status::text FROM procrastinate_jobs", "failed")
        assert await dead_jobs(connection) == 1
    (call,) = logger.calls
    assert (call.method_name, call.args, call.kwargs["task"]) == ("error", ("job-dead",), "note")
    assert call.kwargs["error"].startswith("ValueError in tests/support/jobs.py")


async def test_the_jobs_of_a_killed_worker_are_done_by_another(database_url: str) -> None:
    dsn = application_dsn(database_url)
    async with a_bench(database_url) as connection:
        await enqueue_notes(connection, 1)
        worker = await a_worker_process(dsn, last=60)
        await eventually(connection, "SELECT count(*) FROM notes", 1, seconds=20)
        worker.kill()
        await worker.wait()
        async with working(a_queue(dsn), stalled=3.0):
            await eventually(connection, "SELECT count(*) FROM procrastinate_jobs", 0, seconds=20)
        await eventually(connection, "SELECT count(*) FROM notes", 2)


async def test_a_job_that_kills_its_workers_dies_in_the_end(database_url: str) -> None:
    async with a_bench(database_url) as connection:
        await enqueue_notes(connection, 1)
        await connection.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', attempts = %s", (BackOff.attempts - 1,)
        )
        async with working(a_queue(application_dsn(database_url))):
            await eventually(connection, "SELECT status::text FROM procrastinate_jobs", "failed")
        await eventually(connection, "SELECT count(*) FROM notes", 0)


async def test_the_worker_survives_the_loss_of_postgres_and_stops_when_told(database_url: str) -> None:
    stop, unknown = asyncio.Event(), str(UUID(int=0))
    worker = asyncio.create_task(jobs.run(settings_for(database_url), stop))
    async with a_bench(database_url) as connection:
        await eventually(connection, "SELECT count(*) FROM procrastinate_workers", 1)
        for _ in range(2):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await connection.execute("DELETE FROM procrastinate_workers")
            await asyncio.sleep(0.2)
        await connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('default', 'move-group', %s)",
            (Jsonb({"organization_id": unknown, "task_id": unknown, "by": {}}),),
        )
        await eventually(connection, "SELECT count(*) FROM procrastinate_jobs", 0)
    stop.set()
    await asyncio.wait_for(worker, 10)
