"""Work outside the request, from a queue in Postgres: retried with back-off, dead in plain sight, at least once.

Whoever enqueues does it in a transaction of his own, so a job exists exactly when what asked for it does.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from psycopg import AsyncConnection, OperationalError
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from adapters.log.event_store import EventStore
from adapters.postgres.connections import Pool
from adapters.security.keyring import Keyring
from adapters.settings import Settings
from domain.core.audited import AuditContext, audited_as
from domain.core.errors import Unavailable
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store
from domain.groups.moves import GroupMoves
from projections import registry
from workers.following.inline_sets import declare_inline
from workers.jobs import moves
from workers.jobs.dead import record_deaths
from workers.jobs.kinds import ATTEMPTS, KINDS, JobKind

QUEUE = "default"

POLL = 0.5  # seconds; a job that becomes due is not notified of
HEARTBEAT = 2.0
STALLED = 10.0  # seconds without a heartbeat after which a worker's jobs are given to others
NAME = "rollbook-jobs"
PATIENCE = 4.0  # seconds a running job gets to end when the worker stops

_log = structlog.get_logger(__name__)


def queue(identity: moves.HasMoves, dsn: str = "") -> App:
    """The tasks there are. Opened without a pool, it makes one of its own to the database at `dsn`."""
    app = App(connector=PsycopgConnector(pool_factory=lambda **_: Pool(dsn, application_name=NAME, max_size=4)))

    for kind in KINDS:
        _add_task(app, identity, kind)
    return app


def _add_task(app: App, identity: moves.HasMoves, kind: JobKind) -> None:
    @app.task(name=kind.name, queue=QUEUE, retry=kind.retry)
    async def carry_out(by: dict[str, Any], **arguments: Any) -> None:
        with audited_as(msgspec.convert(by, AuditContext)):
            await kind.carry_out(identity, arguments)


class Job(NamedTuple):
    """Something to do. Its arguments are ids and the like: they stand in the queue in clear."""

    task: str
    arguments: dict[str, Any]
    by: AuditContext
    due: datetime | None = None


async def enqueue(connection: AsyncConnection, jobs: Sequence[Job]) -> None:
    """In the connection's open transaction."""
    arguments = [Jsonb({**job.arguments, "by": msgspec.to_builtins(job.by)}) for job in jobs]
    await connection.execute(
        _ENQUEUE, (QUEUE, [job.task for job in jobs], arguments, [job.due for job in jobs]), prepare=True
    )


async def dead_jobs(connection: AsyncConnection) -> int:
    """How many have failed for good."""
    cursor = await connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def work(app: App, stop: asyncio.Event, identity: moves.HasMoves | None = None) -> None:
    """Carry out jobs until `stop`; what is running then gets a moment to end. `identity` records what dies."""
    for logger in ("procrastinate.worker", "procrastinate.worker.worker"):
        logging.getLogger(logger).addFilter(_without_texts_of_errors)
    async with app.open_async():
        worker = asyncio.create_task(_run_worker(app, wait=True))
        ending = asyncio.Event()
        rescuer = asyncio.create_task(_rescue_stalled(app, ending, identity))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({worker, rescuer, stopped}, return_when=asyncio.FIRST_COMPLETED)
        ending.set()
        for task in (stopped, worker):
            task.cancel()
        for outcome in await asyncio.gather(worker, rescuer, stopped, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def work_off(app: App) -> bool:
    """Carry out what is due, then return whether there was anything. The app is open."""
    if not await _any_due(app):
        return False
    await _run_worker(app, wait=False)
    return True


@dataclass(frozen=True)
class Commands:
    """What jobs call."""

    group_moves: GroupMoves


def commands(store: Store) -> Commands:
    """Over a store alone: jobs finish what was permitted when it was requested."""
    return Commands(GroupMoves(store, Permissions(_NobodyAsks())))


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Carry out jobs until `stop`; survives the loss of Postgres."""
    while not stop.is_set():
        try:
            async with Pool(settings.dsn(), application_name=NAME, max_size=4) as pool:
                keyring = Keyring(pool, settings.master_key_bytes())
                lookup = await keyring.lookup()
                async with pool.connection() as connection:
                    await declare_inline(connection, lookup)
                async with EventStore(pool, "identity", registry.inline(lookup), keyring) as store:
                    identity = commands(store)
                    await work(queue(identity, settings.listen_dsn("lock")), stop, identity)
        except (OperationalError, PoolTimeout, ConnectorException, Unavailable) as error:
            _log.warning("jobs-interrupted", reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL)


class _NobodyAsks:
    async def decide(self, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
        raise NotImplementedError

    async def readable_users(self, user_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
        raise NotImplementedError


async def _run_worker(app: App, *, wait: bool) -> None:
    await app.run_worker_async(
        wait=wait,
        listen_notify=wait,
        concurrency=4,
        delete_jobs="successful",
        install_signal_handlers=False,
        fetch_job_polling_interval=POLL,
        update_heartbeat_interval=HEARTBEAT,
        stalled_worker_timeout=STALLED,
        shutdown_graceful_timeout=PATIENCE,
    )


async def _any_due(app: App) -> bool:
    row = await app.connector.execute_query_one_async(
        "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo'"
        " AND coalesce(scheduled_at <= now(), true)) AS due"
    )
    return bool(row["due"])


async def _rescue_stalled(app: App, ending: asyncio.Event, identity: moves.HasMoves | None) -> None:
    """Jobs of a worker that was killed or is frozen are tried again by others; the deaths of jobs are recorded."""
    while not ending.is_set():
        for stalled in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED):
            assert stalled.id is not None
            _log.warning("job-stalled", job=stalled.id, task=stalled.task_name, attempt=stalled.attempts + 1)
            with contextlib.suppress(ConnectorException):  # another worker was faster
                if stalled.attempts + 1 >= ATTEMPTS:
                    await app.job_manager.finish_job_by_id_async(stalled.id, status=Status.FAILED, delete_job=False)
                else:
                    await app.job_manager.retry_job_by_id_async(stalled.id, retry_at=datetime.now(UTC))
        if identity is not None:
            await record_deaths(app, identity)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), HEARTBEAT)


def _without_texts_of_errors(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None
    return True


# As its `defer` does, in a form that needs no pool. No lock: it would let a job that is not due yet hold up the others.
_ENQUEUE = """
SELECT procrastinate_defer_jobs_v1(array_agg(
    ROW(%s, task, 0, NULL, NULL, arguments, due)::procrastinate_job_to_defer_v1))
FROM unnest(%s::text[], %s::jsonb[], %s::timestamptz[]) AS job(task, arguments, due)
"""
