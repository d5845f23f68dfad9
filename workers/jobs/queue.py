"""The rows of the job queue: enqueue jobs, list those that are waiting or dead, and retry dead ones.

The caller enqueues a job in the transaction that writes the reason for it, so neither exists without the other.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from domain.core.audited import AuditContext

QUEUE = "default"


class UnknownJobError(Exception):
    """No dead job has the id."""


class Job(NamedTuple):
    """A job to enqueue, with the audit context of its events. Arguments are ids, because the queue is not encrypted."""

    task: str
    arguments: Mapping[str, UUID]
    by: AuditContext
    due: datetime | None = None


class QueuedJob(NamedTuple):
    """A job in the queue. `state` is dead, waiting or running; `since` is the time of death, or else of enqueueing.

    `error` is the class of the last attempt's error and its place in the code; None if no attempt has failed.
    """

    id: int
    task: str
    state: str
    attempts: int
    since: datetime | None
    due: datetime | None
    arguments: dict[str, Any]
    error: str | None


async def enqueue(connection: AsyncConnection, jobs: Sequence[Job]) -> None:
    """Add the jobs to the queue in the connection's open transaction."""
    arguments = [
        Jsonb({name: str(value) for name, value in job.arguments.items()} | {"by": msgspec.to_builtins(job.by)})
        for job in jobs
    ]
    await connection.execute(
        _ENQUEUE, (QUEUE, [job.task for job in jobs], arguments, [job.due for job in jobs]), prepare=True
    )


async def dead_jobs(connection: AsyncConnection) -> int:
    """Return the number of dead jobs."""
    cursor = await connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def queued_jobs(connection: AsyncConnection) -> list[QueuedJob]:
    """Return all jobs that are dead, waiting or running, dead ones first."""
    async with connection.cursor(row_factory=class_row(QueuedJob)) as cursor:
        await cursor.execute(_LIST)
        return await cursor.fetchall()


async def retry(connection: AsyncConnection, job_id: int | None = None) -> list[int]:
    """Put one dead job, or all, back into the queue, due at once and with all attempts; return the ids.

    Raises UnknownJobError for an id that no dead job has.
    """
    cursor = await connection.execute(_RETRY, {"id": job_id})
    ids = [row[0] for row in await cursor.fetchall()]
    if job_id is not None and not ids:
        raise UnknownJobError(f"no dead job has the id {job_id}; `rollbook jobs list` shows them")
    return ids


# Does the same as procrastinate's `defer`, which needs a pool. It sets no lock: with a lock, a job that is not due yet
# would hold up the others.
_ENQUEUE = """
SELECT procrastinate_defer_jobs_v1(array_agg(
    ROW(%s, task, 0, NULL, NULL, arguments, due)::procrastinate_job_to_defer_v1))
FROM unnest(%s::text[], %s::jsonb[], %s::timestamptz[]) AS job(task, arguments, due)
"""

_LIST = """
SELECT j.id, task_name AS task, attempts, scheduled_at AS due, args - 'by' AS arguments, f.error,
    CASE status WHEN 'failed' THEN 'dead' WHEN 'todo' THEN 'waiting' ELSE 'running' END AS state,
    (SELECT CASE status WHEN 'failed' THEN max(at) ELSE min(at) END FROM procrastinate_events e WHERE e.job_id = j.id)
        AS since
FROM procrastinate_jobs j LEFT JOIN job_failures f ON f.job_id = j.id
WHERE status IN ('failed', 'todo', 'doing')
ORDER BY status <> 'failed', j.id
"""

_RETRY = """
UPDATE procrastinate_jobs SET status = 'todo', attempts = 0, scheduled_at = now(), worker_id = NULL
WHERE status = 'failed' AND id = coalesce(%(id)s, id) RETURNING id
"""
