"""Forgets logins after their time: the beginning of the sessions' log, and what was projected from it."""

import asyncio
import contextlib

import structlog
from psycopg import AsyncConnection, Error

from adapters.background import BackgroundTask
from adapters.connections import connect
from adapters.session_settings import session_dsn
from adapters.settings import Settings
from projections.sessions import SessionsProjection
from workers import leases
from workers import table_copies as copies

EVERY = 3600.0  # seconds
AT_ONCE = 5000  # events of one transaction

_log = structlog.get_logger(__name__)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Forget what is old now and every hour until `stop`. Needs the database's owner, like migrations and rebuilds."""
    forgetting = BackgroundTask("retention", lambda: _forget_now_and_then(settings, stop))
    forgetting.start()
    await stop.wait()
    await forgetting.stop()


async def _forget_now_and_then(settings: Settings, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            forgotten = await forget_old_sessions(settings.owner_dsn(), settings.session_log_days)
        except Error as error:
            _log.warning("sessions-not-forgotten", reason=type(error).__name__)
        else:
            _log.info("sessions-forgotten", events=forgotten)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY)


async def forget_old_sessions(owner_dsn: str, days: int) -> int:
    """Everything up to the first event that is not as old; how many events. Nothing while the sessions are rebuilt."""
    async with await connect(session_dsn(owner_dsn, "maintain"), application_name="rollbook-retention") as connection:
        if not await leases.take(connection, [leases.rebuild_of(SessionsProjection.name)]):
            return 0
        end = await _end_of_the_old(connection, days)
        forgotten = 0
        while some := await _forget(connection, end):
            forgotten += some
        if forgotten:
            await copies.drop(connection, copies.COPY, SessionsProjection.tables)
        return forgotten


async def _end_of_the_old(connection: AsyncConnection, days: int) -> int:
    """The last position to be forgotten."""
    cursor = await connection.execute(_END, {"days": days})
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def _forget(connection: AsyncConnection, end: int) -> int:
    cursor = await connection.execute(_FORGET, {"end": end, "most": AT_ONCE})
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


# Whole from the beginning on, so that what is left has no gaps: the times of several processes are not quite in order.
_END = """
SELECT coalesce((
    SELECT notification_id - 1 FROM session_events
    WHERE recorded_at >= now() - make_interval(days => %(days)s) ORDER BY notification_id LIMIT 1
), position) FROM log_head WHERE log = 'sessions'
"""

# What an interrupted rebuild has copied would come back with it, so it begins anew.
_FORGET = """
WITH gone AS (
    DELETE FROM session_events WHERE notification_id IN (
        SELECT notification_id FROM session_events WHERE notification_id <= %(end)s
        ORDER BY notification_id LIMIT %(most)s
    ) RETURNING originator_id, originator_version
), opened AS (
    SELECT originator_id FROM gone WHERE originator_version = 1
), snapshots AS (
    DELETE FROM session_snapshots WHERE originator_id IN (SELECT originator_id FROM opened)
), projected AS (
    DELETE FROM sessions WHERE session_id IN (SELECT originator_id FROM opened)
), interrupted AS (
    DELETE FROM rebuilds WHERE name = 'sessions' AND EXISTS (SELECT FROM gone)
)
SELECT count(*) FROM gone
"""
