"""Forgets what is past its time: the beginnings of logs that are not kept for ever, and what came of them."""

import asyncio
import contextlib
from typing import Any

import structlog
from psycopg import AsyncConnection, Error

from adapters.background import BackgroundTask
from adapters.postgres.connections import connect
from adapters.settings import Settings
from projections import registry
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
        for log, days in _kept_days(settings).items():
            try:
                forgotten = await forget_old_events(settings.dsn("maintain"), log, days)
            except Error as error:
                _log.warning("events-not-forgotten", log=log, reason=type(error).__name__)
            else:
                _log.info("events-forgotten", log=log, events=forgotten)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY)


async def forget_old_events(dsn: str, log: str, days: int) -> int:
    """Forget everything up to the first event that is not as old; return how many events.

    Nothing while something that is projected from the log is rebuilt.
    """
    projections = registry.projected_from(log)
    rebuilding = {leases.rebuild_of(each.name) for each in projections}
    copies = [table for each in projections for table in each.tables]
    async with await connect(dsn, application_name="rollbook-retention") as connection:
        if await leases.take(connection, rebuilding) != rebuilding:
            return 0
        forgotten = 0
        while some := await _forget(connection, log, {"log": log, "days": days, "most": AT_ONCE, "copies": copies}):
            forgotten += some
        return forgotten


async def _forget(connection: AsyncConnection, log: str, what: dict[str, Any]) -> int:
    """By a function of the owner's, because the application's role may not delete events (migration 0025)."""
    async with connection.transaction():
        cursor = await connection.execute(
            "SELECT forgotten, streams FROM forget_old_events(%(log)s, %(days)s, %(most)s, %(copies)s::text[])", what
        )
        row = await cursor.fetchone()
        assert row is not None
        for table, stream in registry.LOGS[log].forgotten.items():
            await connection.execute(f"DELETE FROM {table} WHERE {stream} = ANY(%s)", (row[1],))
        return int(row[0])


def _kept_days(settings: Settings) -> dict[str, int]:
    return {log: getattr(settings, of.kept_for) for log, of in registry.LOGS.items() if of.kept_for is not None}
