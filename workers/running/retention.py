"""Deletes events that are older than their log's retention, and the rows of the streams that they end."""

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

INTERVAL = 3600.0  # seconds
MAX_BATCH = 5000  # events of one transaction

_log = structlog.get_logger(__name__)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Delete old events now and every INTERVAL until `stop`."""
    forgetting = BackgroundTask("retention", lambda: _forget_repeatedly(settings, stop))
    forgetting.start()
    await stop.wait()
    await forgetting.stop()


async def _forget_repeatedly(settings: Settings, stop: asyncio.Event) -> None:
    while not stop.is_set():
        for log, days in _kept_days(settings).items():
            try:
                forgotten = await forget_old_events(settings.dsn("maintain"), log, days)
            except Error as error:
                _log.warning("events-not-forgotten", log=log, reason=type(error).__name__)
            else:
                _log.info("events-forgotten", log=log, events=forgotten)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), INTERVAL)


async def forget_old_events(dsn: str, log: str, days: int) -> int:
    """Delete all events before the first one that is younger than `days`; return their number.

    While a projection of the log is being rebuilt, delete nothing and return 0.
    """
    projections = registry.projected_from(log)
    rebuilding = {leases.rebuild_of(projection.name) for projection in projections}
    copies = [table for projection in projections for table in projection.tables]
    async with await connect(dsn, application_name="rollbook-retention") as connection:
        if await leases.take(connection, rebuilding) != rebuilding:
            return 0
        forgotten = 0
        arguments = {"log": log, "days": days, "most": MAX_BATCH, "copies": copies}
        while batch := await _forget_batch(connection, log, arguments):
            forgotten += batch
        return forgotten


async def _forget_batch(connection: AsyncConnection, log: str, arguments: dict[str, Any]) -> int:
    """Delete one batch by a function of the owner, because the application may not delete events."""
    async with connection.transaction():
        cursor = await connection.execute(
            "SELECT forgotten, streams FROM forget_old_events(%(log)s, %(days)s, %(most)s, %(copies)s::text[])",
            arguments,
        )
        row = await cursor.fetchone()
        assert row is not None
        for table, stream in registry.LOGS[log].forgotten.items():
            await connection.execute(f"DELETE FROM {table} WHERE {stream} = ANY(%s)", (row[1],))
        return int(row[0])


def _kept_days(settings: Settings) -> dict[str, int]:
    return {name: getattr(settings, log.kept_for) for name, log in registry.LOGS.items() if log.kept_for is not None}
