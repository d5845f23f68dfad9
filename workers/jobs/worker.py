"""Runs the jobs of the queue, each at least once, with back-off. Dead jobs stay visible in the queue."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from adapters.outbound.senders import message_senders
from adapters.postgres.connections import Pool
from adapters.settings import Settings
from domain.core.audited import AuditContext, audited_as
from domain.core.errors import Unavailable
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Lookup, Store
from domain.groups.moves import GroupMoves
from domain.onboarding.invitation_messages import InvitationMessages
from domain.onboarding.referral_codes import ReferralCodes
from domain.organizations.message_origins import MessageOrigins
from domain.organizations.message_texts import MessageTexts
from domain.people.account_messages import AccountMessages
from domain.people.verification_codes import CodeDerivation
from projections.core.projection import Reader
from projections.organizations.message_texts import StoredTemplates
from workers.following.failures import describe
from workers.following.identity_store import identity_store
from workers.jobs.kinds import KINDS, BackOff, Command, Commands, JobKind, OutOfTimeError
from workers.jobs.queue import QUEUE

POLL = 0.5  # seconds; Postgres sends no notification when a job becomes due
HEARTBEAT = 2.0
STALLED = 10.0  # seconds without a heartbeat after which other workers take a worker's jobs
NAME = "rollbook-jobs"
PATIENCE = 4.0  # seconds that a running job has to end when the worker stops

_log = structlog.get_logger(__name__)


def job_app(commands: Commands, dsn: str = "", kinds: Sequence[JobKind] = KINDS) -> App:
    """Return procrastinate's app with a task for each kind. Opened without a pool, it creates one for `dsn`."""
    app = App(connector=PsycopgConnector(pool_factory=lambda **_: Pool(dsn, application_name=NAME, max_size=4)))
    for kind in kinds:
        _add_task(app, commands, kind)
    return app


def _add_task(app: App, commands: Commands, kind: JobKind) -> None:
    @app.task(name=kind.name, queue=QUEUE, retry=kind.retry, pass_context=True)
    async def carry_out(context: JobContext, /, by: dict[str, Any], **arguments: str) -> None:
        try:
            with audited_as(msgspec.convert(by, AuditContext)):
                await kind.command(commands)(**_ids(arguments))
        except Exception as error:
            with contextlib.suppress(ConnectorException):  # the job's own error is raised even if this fails
                failure = {"job": context.job.id, "error": describe(error)}
                row = await app.connector.execute_query_one_async(_NOTE_FAILURE, **failure)
                if kind.retry.is_over(row["age"]):
                    raise OutOfTimeError from error
            raise


def _ids(arguments: dict[str, str]) -> dict[str, UUID]:
    return {name: UUID(value) for name, value in arguments.items()}


async def work(app: App, stop: asyncio.Event, commands: Commands | None = None, *, stalled: float = STALLED) -> None:
    """Run jobs until `stop`, then give running jobs PATIENCE to end. With `commands`, call `on_dead` of dead jobs.

    Other workers take the jobs of a worker that sends no heartbeat for `stalled` seconds.
    """
    async with app.open_async():
        worker = asyncio.create_task(_run_worker(app, stalled, wait=True))
        ending = asyncio.Event()
        rescuer = asyncio.create_task(_rescue_stalled(app, ending, commands, stalled))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({worker, rescuer, stopped}, return_when=asyncio.FIRST_COMPLETED)
        ending.set()
        for task in (stopped, worker):
            task.cancel()
        for outcome in await asyncio.gather(worker, rescuer, stopped, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def run_due_jobs(app: App) -> bool:
    """Run the jobs that are due, and return whether there were any. The app must be open."""
    if not await _any_due(app):
        return False
    await _run_worker(app, STALLED, wait=False)
    return True


def job_commands(store: Store, reader: Reader, lookup: Lookup, settings: Settings) -> Commands:
    """Return the commands that jobs call. They check no permission: it was checked when the job was requested."""
    texts, senders = MessageTexts(StoredTemplates(reader)), message_senders(settings)
    origins = MessageOrigins(store, settings.link_base)
    referral_codes = ReferralCodes(lookup, settings.referral_code_seconds)
    return Commands(
        GroupMoves(store, Permissions(_NoQueries())),
        InvitationMessages(store, texts, senders, origins, referral_codes),
        AccountMessages(store, texts, senders, origins, CodeDerivation(lookup, settings.code_lifetimes)),
    )


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run jobs until `stop`; connect again after the connection to Postgres is lost."""
    while not stop.is_set():
        try:
            async with identity_store(settings, NAME, connections=4) as (store, pool, lookup):
                commands = job_commands(store, pool, lookup, settings)
                app = job_app(commands, settings.listen_dsn("lock"))
                await work(app, stop, commands, stalled=settings.job_stalled)
        except (OperationalError, PoolTimeout, ConnectorException, Unavailable) as error:
            _log.warning("jobs-interrupted", reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL)


async def record_deaths(app: App, commands: Commands) -> None:
    """Call `on_dead` for all resources that wait for a job which is dead or deleted. The app must be open."""
    for kind in KINDS:
        if kind.rescue is not None:
            query = _WITHOUT_A_JOB.format(kind.rescue.unfinished)
            for row in await app.connector.execute_query_all_async(query, task=kind.name):
                await _record_death(kind.name, kind.rescue.on_dead(commands), row["arguments"])


class _NoQueries:
    async def decide(self, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
        raise NotImplementedError

    async def readable_users(self, user_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
        raise NotImplementedError


async def _record_death(task: str, on_dead: Command, arguments: dict[str, str]) -> None:
    try:
        with audited_as(AuditContext()):
            recorded = await on_dead(**_ids(arguments))
    except Exception as error:  # noqa: BLE001 - the others are recorded all the same; this one is tried again later
        _log.warning("death-not-recorded", task=task, **arguments, error=describe(error))
    else:
        if recorded is not None:
            _log.error("death-recorded", task=task, **arguments)


async def _run_worker(app: App, stalled: float, *, wait: bool) -> None:
    for logger in ("procrastinate.worker", "procrastinate.worker.worker"):
        logging.getLogger(logger).addFilter(_without_failed_jobs)
    await app.run_worker_async(
        wait=wait,
        listen_notify=wait,
        concurrency=4,
        delete_jobs="successful",
        install_signal_handlers=False,
        fetch_job_polling_interval=POLL,
        update_heartbeat_interval=HEARTBEAT,
        stalled_worker_timeout=stalled,
        shutdown_graceful_timeout=PATIENCE,
    )


async def _any_due(app: App) -> bool:
    row = await app.connector.execute_query_one_async(
        "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo'"
        " AND coalesce(scheduled_at <= now(), true)) AS due"
    )
    return bool(row["due"])


async def _rescue_stalled(app: App, ending: asyncio.Event, commands: Commands | None, seconds: float) -> None:
    """Retry the jobs of workers without a heartbeat for `seconds`, and record dead jobs, every HEARTBEAT seconds."""
    while not ending.is_set():
        for stalled in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=seconds):
            assert stalled.id is not None
            _log.warning("job-stalled", job=stalled.id, task=stalled.task_name, attempt=stalled.attempts + 1)
            with contextlib.suppress(ConnectorException):  # another worker has already rescued the job
                if stalled.attempts + 1 >= _attempts(stalled.task_name):
                    await app.job_manager.finish_job_by_id_async(stalled.id, status=Status.FAILED, delete_job=False)
                else:
                    await app.job_manager.retry_job_by_id_async(stalled.id, retry_at=datetime.now(UTC))
        if commands is not None:
            await record_deaths(app, commands)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), HEARTBEAT)


def _attempts(task: str) -> int:
    """Return the number of attempts of a kind; the default number for a kind that this version does not know."""
    return next((kind.retry.attempts for kind in KINDS if kind.name == task), BackOff.attempts)


def _without_failed_jobs(record: logging.LogRecord) -> bool:
    """Drop the library's record of a failed job, which `BackOff` logs, and the texts of errors."""
    record.exc_info = record.exc_text = None
    return getattr(record, "action", None) not in {"job_error", "job_error_retry"}


_NOTE_FAILURE = """
INSERT INTO job_failures (job_id, error) VALUES (%(job)s, %(error)s)
ON CONFLICT (job_id) DO UPDATE SET error = EXCLUDED.error
RETURNING (
    SELECT extract(epoch FROM now() - max(at))::float FROM procrastinate_events e
    WHERE e.job_id = job_failures.job_id AND e.type IN ('deferred', 'retried')
) AS age
"""

_WITHOUT_A_JOB = """
SELECT arguments FROM ({}) AS unfinished(arguments)
WHERE NOT EXISTS (
    SELECT FROM procrastinate_jobs
    WHERE task_name = %(task)s AND status IN ('todo', 'doing') AND args @> arguments
)
"""
