"""The rows of the job queue: how jobs get in, what waits and what is dead, and how dead ones are retried.

Who enqueues does it in a transaction of their own, so a job exists exactly when what asked for it does.
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
    """Something to do, in whose context. Its arguments are ids, because they stand in the queue in clear."""

    task: str
    arguments: Mapping[str, UUID]
    by: AuditContext
    due: datetime | None = None


class QueuedJob(NamedTuple):
    """A job in the queue: `state` is dead, waiting or running; `since` is when it died, else when it was enqueued.

    `error` is the class of its last attempt's error and where that arose, None before any attempt failed.
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
    """In the connection's open transaction."""
    arguments = [
        Jsonb({name: str(value) for name, value in job.arguments.items()} | {"by": msgspec.to_builtins(job.by)})
        for job in jobs
    ]
    await connection.execute(
        _ENQUEUE, (QUEUE, [job.task for job in jobs], arguments, [job.due for job in jobs]), prepare=True
    )


async def dead_jobs(connection: AsyncConnection) -> int:
    """How many have failed for good."""
    cursor = await connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def queued_jobs(connection: AsyncConnection) -> list[QueuedJob]:
    """Return all jobs that are not done, dead ones first."""
    async with connection.cursor(row_factory=class_row(QueuedJob)) as cursor:
        await cursor.execute(_LIST)
        return await cursor.fetchall()


async def retry(connection: AsyncConnection, job_id: int | None = None) -> list[int]:
    """Let a dead job, or all of them, be carried out again at once, with all attempts; return the ids.

    Raises UnknownJobError for an id that no dead job has.
    """
    cursor = await connection.execute(_RETRY, {"id": job_id})
    ids = [row[0] for row in await cursor.fetchall()]
    if job_id is not None and not ids:
        raise UnknownJobError(f"no dead job has the id {job_id}; `rollbook jobs list` shows them")
    return ids


# As procrastinate's `defer` does, in a form that needs no pool. No lock: it would let a job that is not due yet hold up
# the others.
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
