"""`rollbook jobs`: lists the jobs of the queue and retries dead ones."""

from collections.abc import Iterator

import psycopg

from adapters.settings import Settings
from workers.jobs.queue import QueuedJob, queued_jobs, retry


async def list_jobs(settings: Settings) -> list[str]:
    """Return the lines to print for all jobs that are dead, waiting or running."""
    async with await _connect(settings) as connection:
        return [line for job in await queued_jobs(connection) for line in _lines(job)]


async def retry_jobs(settings: Settings, job_id: int | None) -> list[int]:
    """Put one dead job, or without an id all, back into the queue; return the ids. Raises UnknownJobError."""
    async with await _connect(settings) as connection:
        return await retry(connection, job_id)


async def _connect(settings: Settings) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(settings.looking_dsn(), autocommit=True, connect_timeout=5)


def _lines(job: QueuedJob) -> Iterator[str]:
    since = "" if job.since is None else f"  since {job.since:%Y-%m-%d %H:%M:%S}"
    due = f"  due {job.due:%Y-%m-%d %H:%M:%S}" if job.state == "waiting" and job.due is not None else ""
    yield f"{job.id}  {job.task}  {job.state}  attempts {job.attempts}{since}{due}"
    for name, value in job.arguments.items():
        yield f"    {name} {value}"
    if job.error is not None:
        yield f"    last error: {job.error}"
