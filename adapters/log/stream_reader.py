"""Reads streams of the log, each from its latest snapshot on. Concurrent callers share one query."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.outages import retry_in_outage
from adapters.postgres.query_batcher import QueryBatcher

MAX_BATCHED = 100
"""A caller who needs more streams than this reads them by a query of their own, so as not to delay other callers."""


class Row(NamedTuple):
    """The row of an event, or of a snapshot, which has no time."""

    stream: UUID
    version: int
    topic: str
    state: bytes
    recorded_at: datetime | None


class Stream(NamedTuple):
    """The id of a stream, and the topic of snapshots that may replace its beginning."""

    id: UUID
    snapshot_topic: str


class StreamReader:
    """Reads streams of one log, given by its tables."""

    def __init__(self, pool: AsyncConnectionPool, events: str, snapshots: str) -> None:
        self._pool = pool
        self._select = _SELECT.format(events=events, snapshots=snapshots)
        self._batcher = QueryBatcher(self._read)

    async def rows(self, streams: Sequence[Stream]) -> list[list[Row]]:
        """Return, for each stream, its latest snapshot with that topic, if any, and all later events."""
        if len(streams) <= MAX_BATCHED:
            return await self._batcher.ask(streams)
        (rows,) = await self._read([streams])
        return rows

    async def _read(self, batch: Sequence[Sequence[Stream]]) -> Sequence[list[list[Row]]]:
        rows: dict[Stream, list[Row]] = {stream: [] for streams in batch for stream in streams}
        by_number = list(rows.values())
        parameters = [stream.id for stream in rows], [stream.snapshot_topic for stream in rows]

        async def read(connection: AsyncConnection) -> list[tuple[int, UUID, int, str, bytes, datetime | None]]:
            cursor = connection.cursor(binary=True)
            await cursor.execute(self._select, parameters, prepare=True)
            return await cursor.fetchall()

        for number, *row in await retry_in_outage(self._pool, read):
            by_number[number - 1].append(Row._make(row))
        return [[rows[stream] for stream in streams] for streams in batch]


# One statement, so that a snapshot that is taken meanwhile cannot hide events. Stream by stream, so that events before
# a snapshot are not read (3 ms instead of 10 for 20,000 events). The arrays are in SELECTs, so their lengths do not
# influence the plan; otherwise Postgres plans each query again, because it expects a custom plan to be cheaper.
_SELECT = """
WITH latest AS (
    SELECT stream.number, stream.originator_id, snapshot.originator_version, snapshot.topic, snapshot.state
    FROM unnest((SELECT %b::uuid[]), (SELECT %b::text[])) WITH ORDINALITY AS stream(originator_id, topic, number)
    LEFT JOIN LATERAL (
        SELECT originator_version, topic, state FROM {snapshots} s
        WHERE s.originator_id = stream.originator_id AND s.topic = stream.topic ORDER BY originator_version DESC LIMIT 1
    ) snapshot ON true
)
SELECT number, originator_id, originator_version, topic, state, NULL::timestamptz FROM latest
WHERE originator_version IS NOT NULL
UNION ALL
SELECT latest.number, e.originator_id, e.originator_version, e.topic, e.state, e.recorded_at
FROM latest CROSS JOIN LATERAL (
    SELECT originator_id, originator_version, topic, state, recorded_at FROM {events} own
    WHERE own.originator_id = latest.originator_id AND own.originator_version > coalesce(latest.originator_version, 0)
) e
ORDER BY 1, 3
"""
