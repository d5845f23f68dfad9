"""Forgets logins after their time: the beginning of the sessions' log, and what was projected from it."""

import asyncio
import contextlib

import structlog
from psycopg import AsyncConnection, Error

from adapters.background import BackgroundTask
from adapters.postgres.connections import connect
from adapters.settings import Settings
from projections.sessions.sessions import SessionsProjection
from workers.following import leases

EVERY = 3600.0  # seconds
AT_ONCE = 5000  # events of one transaction

_log = structlog.get_logger(__name__)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Forget what is old now and every hour until `stop`."""
    forgetting = BackgroundTask("retention", lambda: _forget_now_and_then(settings, stop))
    forgetting.start()
    await stop.wait()
    await forgetting.stop()


async def _forget_now_and_then(settings: Settings, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            forgotten = await forget_old_sessions(settings.dsn("maintain"), settings.session_log_days)
        except Error as error:
            _log.warning("sessions-not-forgotten", reason=type(error).__name__)
        else:
            _log.info("sessions-forgotten", events=forgotten)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY)


async def forget_old_sessions(dsn: str, days: int) -> int:
    """Everything up to the first event that is not as old; how many events. Nothing while the sessions are rebuilt."""
    async with await connect(dsn, application_name="rollbook-retention") as connection:
        if not await leases.take(connection, [leases.rebuild_of(SessionsProjection.name)]):
            return 0
        forgotten = 0
        while some := await _forget(connection, days):
            forgotten += some
        return forgotten


async def _forget(connection: AsyncConnection, days: int) -> int:
    """By a function of the owner's, because nobody else may delete events (migration 0017)."""
    cursor = await connection.execute("SELECT forget_old_sessions(%s, %s)", (days, AT_ONCE))
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
