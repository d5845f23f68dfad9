"""The followers of the logs: the table of their positions, moved by the workers and shown by the replicators API."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from domain.core.logs import IDENTITY
from projections.core.projection import Projection, replicator_id


class Replicator(NamedTuple):
    """One follower as it is at this moment. `rebuilt` and `rate` tell of a rebuild under way: position, events/s."""

    id: UUID
    name: str
    classpath: str
    mode: str
    version: int
    position: int
    head: int
    lag_events: int
    lag_seconds: float
    state: str
    error: str | None
    created_at: datetime
    last_poll_at: datetime | None
    rebuilt: int | None
    rate: float | None


class Progress(NamedTuple):
    """How far a follower has come, and the version of the code that brought it there."""

    position: int
    version: int


async def replicators(connection: AsyncConnection) -> list[Replicator]:
    """Return all followers, by classpath."""
    async with connection.cursor(row_factory=class_row(Replicator)) as cursor:
        await cursor.execute(_SHOW.format(only="") + " ORDER BY p.classpath, p.id")
        return await cursor.fetchall()


async def replicator(connection: AsyncConnection, follower_id: UUID) -> Replicator | None:
    """Return one follower, None when nothing has this id."""
    async with connection.cursor(row_factory=class_row(Replicator)) as cursor:
        await cursor.execute(_SHOW.format(only="WHERE p.id = %s"), (follower_id,))
        return await cursor.fetchone()


async def register(connection: AsyncConnection, projections: Iterable[Projection], log: str = IDENTITY) -> None:
    """Make the rows of followers that have none yet; they begin at position 0.

    An inline projection that older code has built says so: unlike the others it cannot wait for its rebuild.
    """
    rows = [
        {
            "name": each.name,
            "id": replicator_id(each.name),
            "classpath": _classpath(each),
            "mode": each.mode.value,
            "log": log,
            "version": each.version,
        }
        for each in projections
    ]
    async with connection.cursor() as cursor:
        await cursor.executemany(_REGISTER, rows)
        await cursor.executemany(_BRING_UP_TO_DATE, rows)


async def progress_of(connection: AsyncConnection, names: Sequence[str]) -> dict[str, Progress]:
    """Return how far the named followers have come."""
    cursor = await connection.execute("SELECT name, position, version FROM projections WHERE name = ANY(%s)", (names,))
    return {name: Progress(position, version) for name, position, version in await cursor.fetchall()}


async def record_polls(connection: AsyncConnection, names: Sequence[str]) -> None:
    """Record that these followers' next events were looked for just now."""
    await connection.execute("UPDATE projections SET last_poll_at = now() WHERE name = ANY(%s)", (names,))


async def record_failure(
    connection: AsyncConnection, name: str, error: str, position: int | None = None, event: str | None = None
) -> None:
    """Record why the follower stands still until this is mended."""
    await connection.execute(
        "UPDATE projections SET error = %s, failed_position = %s, failed_event = %s, last_poll_at = now()"
        " WHERE name = %s",
        (error, position, event, name),
    )


def _classpath(projection: Projection) -> str:
    kind = type(projection)
    return f"{kind.__module__}.{kind.__qualname__}"


# Whichever unique index two processes that start together meet at: an upsert expects only one of them. A new inline
# projection of a log that has begun lacks what was recorded before: version 0 until it is rebuilt.
_REGISTER = """
INSERT INTO projections (name, id, classpath, mode, log, version)
SELECT %(name)s, %(id)s, %(classpath)s, %(mode)s, log,
       CASE WHEN %(mode)s = 'inline' AND position > 0 THEN 0 ELSE %(version)s END
FROM log_head WHERE log = %(log)s
ON CONFLICT DO NOTHING
"""

_BRING_UP_TO_DATE = """
UPDATE projections SET classpath = %(classpath)s, mode = %(mode)s, log = %(log)s,
    error = CASE WHEN %(mode)s = 'inline' AND version < %(version)s
        THEN format('built by version %%s, the code is version %%s: rebuild it', version, %(version)s)
        ELSE error END
WHERE name = %(name)s AND ((classpath, mode, log) <> (%(classpath)s, %(mode)s, %(log)s)
    OR (%(mode)s = 'inline' AND version < %(version)s))
"""

# The workers poll twice a second; a rebuild reports with every batch.
_SHOW = """
SELECT p.id, p.name, p.classpath, p.mode, p.version, at.position, head.position AS head,
       greatest(head.position - at.position, 0) AS lag_events,
       CASE WHEN at.position >= head.position THEN 0 ELSE greatest(0, extract(epoch FROM now() - (
           recorded_at(p.log, at.position + 1))))::float8 END AS lag_seconds,
       CASE WHEN r.alive_at > now() - interval '15 seconds' THEN 'rebuilding'
            WHEN p.error IS NOT NULL THEN 'failed'
            WHEN p.mode = 'inline' OR p.last_poll_at > now() - interval '3 seconds' THEN 'running'
            ELSE 'stopped' END AS state,
       p.error || coalesce(' at position ' || p.failed_position, '') || coalesce(', event ' || p.failed_event, '')
           AS error,
       p.created_at,
       CASE p.mode WHEN 'inline' THEN now() ELSE p.last_poll_at END AS last_poll_at,
       r.position AS rebuilt, r.rate
FROM projections p
JOIN log_head head USING (log)
CROSS JOIN LATERAL (SELECT CASE p.mode WHEN 'inline' THEN head.position ELSE p.position END AS position) at
LEFT JOIN rebuilds r USING (name)
{only}
"""
