"""Runs the projectors of a worker: one for each log, woken by notifications."""

import asyncio
import contextlib
import time

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from adapters.log.codec import EventCodec
from adapters.log.notifications import LOG, Notifications
from adapters.log.reader import LogReader
from adapters.postgres import connections
from adapters.postgres.arrays import send_arrays_in_binary
from adapters.postgres.connections import Pool
from adapters.postgres.session_settings import session_dsn
from adapters.security.keyring import Keyring
from adapters.settings import Settings
from domain.core.errors import Unavailable
from domain.core.logs import IDENTITY
from projections import registry
from workers.following import leases
from workers.following.followers import all_followers, register_all
from workers.following.projector import Projector
from workers.jobs import worker as jobs
from workers.jobs.kinds import Commands

POLL = 0.5  # seconds between two polls without a notification; the specification allows 1

_log = structlog.get_logger(__name__)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Follow all logs until `stop`; connect again after the connection to Postgres is lost."""
    notifications = Notifications(settings.listen_dsn())
    pool = Pool(settings.dsn(), application_name="rollbook-projector-keys", max_size=2, timeout=settings.database_wait)
    async with pool, notifications:
        keyring = Keyring(pool, settings.master_key_bytes())
        followed = [log for log in registry.LOGS if all_followers(log)]
        await asyncio.gather(*(_follow_log(settings, keyring, notifications, log, stop) for log in followed))


async def _follow_log(
    settings: Settings, keyring: Keyring, notifications: Notifications, log: str, stop: asyncio.Event
) -> None:
    """Follow one log on its own connection. Notifications exist only for the identity log; the others are polled."""
    woken = asyncio.Event()
    projector: Projector | None = None

    def wake(position: str | None) -> None:
        if projector is not None and position is not None:
            projector.announce(int(position))
        woken.set()

    if log == IDENTITY:
        notifications.on(LOG, wake)
    stopping = asyncio.create_task(_wake_at(stop, woken))
    while not stop.is_set():
        try:
            async with await connect(settings.listen_dsn("project")) as connection:
                await register_all(connection, await keyring.lookup())
                projector = Projector(connection, LogReader(EventCodec(keyring), log), all_followers(log))
                await follow(projector, woken, stop)
        except (OperationalError, PoolTimeout, Unavailable) as error:
            _log.warning("projectors-interrupted", log=log, reason=type(error).__name__)
            await _wait(woken, POLL)
    await stopping


async def catch_up(pool: AsyncConnectionPool, keyring: Keyring, commands: Commands) -> None:
    """Project all pending events and run all jobs that are due, until none is left. For tests and tools.

    Raises NotCaughtUpError when an event cannot be projected.
    """
    app = jobs.job_app(commands)
    async with pool.connection() as connection, app.open_async(pool):
        try:
            await register_all(connection, await keyring.lookup())
            projectors = [
                Projector(connection, LogReader(EventCodec(keyring), log), all_followers(log)) for log in registry.LOGS
            ]
            busy = True
            while busy:
                for projector in projectors:
                    await projector.catch_up()
                busy = await jobs.run_due_jobs(app)
        finally:
            await leases.release_all(connection)


async def connect(dsn: str) -> AsyncConnection:
    """Open a connection for projecting. Its commits do not wait for the disk: lost rows are projected again.

    Postgres notices a killed process at once and a frozen one after 10 s; a standby then gets the leases.
    """
    projector_dsn = session_dsn(dsn, "project", synchronous_commit="off", client_connection_check_interval="500ms")
    connection = await connections.connect(projector_dsn, application_name="rollbook-projector")
    return send_arrays_in_binary(connection)


async def follow(projector: Projector, woken: asyncio.Event, stop: asyncio.Event, poll: float = POLL) -> None:
    """Run the projector's steps until `stop`; every `poll` seconds take free leases, even if no event arrives."""
    polled = -poll
    while not stop.is_set():
        woken.clear()
        if time.monotonic() - polled >= poll:
            polled = time.monotonic()
            await projector.take_leases()
            await projector.record_polls()
        if not await projector.step():
            await _wait(woken, poll)


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(woken.wait(), seconds)


async def _wake_at(stop: asyncio.Event, woken: asyncio.Event) -> None:
    await stop.wait()
    woken.set()
