"""A job queue with one task of the tests' own, and a worker process to kill."""

import asyncio
import os
import sys
from pathlib import Path
from uuid import UUID

from procrastinate import App, PsycopgConnector
from psycopg import AsyncConnection

from domain.core.audited import AuditContext
from workers.jobs import queue as jobs
from workers.jobs.kinds import BackOff


def a_queue(dsn: str, *, fail: bool = False, last: float = 0) -> App:
    """Its task notes that it ran, then lasts so many seconds, then fails or not."""
    app = App(connector=PsycopgConnector(conninfo=dsn, min_size=1, max_size=4))

    @app.task(name="note", queue=jobs.QUEUE, retry=BackOff())
    async def note(number: int, by: dict[str, str]) -> None:
        async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute("INSERT INTO notes VALUES (%s)", (number,))
        await asyncio.sleep(last)
        if fail:
            raise ValueError("a secret value")

    return app


async def enqueue_notes(connection: AsyncConnection, *numbers: int) -> None:
    by = AuditContext(actor=UUID(int=1))
    await jobs.enqueue(connection, [jobs.Job("note", {"number": number}, by) for number in numbers])


async def a_worker_process(dsn: str, *, last: float) -> asyncio.subprocess.Process:
    """To be killed."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.jobs", dsn, str(last), env={**os.environ, "PYTHONPATH": "."},
        cwd=Path(__file__).parents[2],
    )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(jobs.work(a_queue(sys.argv[1], last=float(sys.argv[2])), asyncio.Event()))
