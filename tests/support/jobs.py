"""A job queue with one task of the tests' own, and a worker process to kill."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from uuid import UUID

from procrastinate import App
from psycopg import AsyncConnection

from domain.core.audited import AuditContext
from tests.support.world.product import World
from workers.jobs.kinds import Commands, JobKind
from workers.jobs.queue import Job, enqueue
from workers.jobs.worker import job_app, run, work

NO_COMMANDS = cast("Commands", None)


def a_queue(dsn: str, *, fail: bool = False, last: float = 0) -> App:
    """Its task notes that it ran, then lasts so many seconds, then fails or not."""

    async def note(number: UUID) -> None:
        async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute("INSERT INTO notes VALUES (%s)", (number.int,))
        await asyncio.sleep(last)
        if fail:
            raise ValueError("a secret value")

    return job_app(NO_COMMANDS, dsn, [JobKind("note", lambda _: note)])


async def enqueue_notes(connection: AsyncConnection, *numbers: int) -> None:
    by = AuditContext(actor=UUID(int=1))
    await enqueue(connection, [Job("note", {"number": UUID(int=number)}, by) for number in numbers])


@asynccontextmanager
async def a_worker(world: World) -> AsyncIterator[None]:
    """Carry out the jobs of the world, as a worker does."""
    stop = asyncio.Event()
    working = asyncio.create_task(run(world.settings, stop))
    try:
        yield
    finally:
        stop.set()
        await working


async def a_worker_process(dsn: str, *, last: float) -> asyncio.subprocess.Process:
    """To be killed."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.jobs", dsn, str(last), env={**os.environ, "PYTHONPATH": "."},
        cwd=Path(__file__).parents[2],
    )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(work(a_queue(sys.argv[1], last=float(sys.argv[2])), asyncio.Event()))
