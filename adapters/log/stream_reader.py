"""Reads streams of the log, each from its latest snapshot on; those that are wanted at one time in one query."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.outages import retry_in_outage
from adapters.postgres.query_batcher import QueryBatcher

FEW = 100
"""Whoever wants more streams than this does not hold up others with them."""


class Row(NamedTuple):
    """An event, or a snapshot, which has no time of its own."""

    stream: UUID
    version: int
    topic: str
    state: bytes
    recorded_at: datetime | None


class Wanted(NamedTuple):
    """A stream, and the topic of snapshots that may stand for its beginning."""

    stream: UUID
    snapshots: str


class StreamReader:
    """Of one of the two logs, by its tables."""

    def __init__(self, pool: AsyncConnectionPool, events: str, snapshots: str) -> None:
        self._pool = pool
        self._select = _SELECT.format(events=events, snapshots=snapshots)
        self._together = QueryBatcher(self._read)

    async def rows(self, wanted: Sequence[Wanted]) -> list[list[Row]]:
        """Of each stream the latest snapshot with that topic, if there is one, and all events since."""
        if len(wanted) <= FEW:
            return await self._together.ask(wanted)
        (rows,) = await self._read([wanted])
        return rows

    async def _read(self, asked: Sequence[Sequence[Wanted]]) -> Sequence[list[list[Row]]]:
        found: dict[Wanted, list[Row]] = {each: [] for wanted in asked for each in wanted}
        places = list(found.values())
        parameters = [each.stream for each in found], [each.snapshots for each in found]

        async def read(connection: AsyncConnection) -> list[tuple[int, UUID, int, str, bytes, datetime | None]]:
            cursor = connection.cursor(binary=True)
            await cursor.execute(self._select, parameters, prepare=True)
            return await cursor.fetchall()

        for place, *row in await retry_in_outage(self._pool, read):
            places[place - 1].append(Row._make(row))
        return [[found[each] for each in wanted] for wanted in asked]


# One statement, so that a snapshot taken meanwhile cannot hide events from the answer; stream by stream, so that what
# lies before a snapshot is not even read (20,000 events: 3 ms instead of 10). The arrays stand in SELECTs so that their
# length does not enter the plan: one for the ids at hand looks cheaper than one for any, so each was planned anew.
_SELECT = """
WITH latest AS (
    SELECT wanted.place, wanted.originator_id, snapshot.originator_version, snapshot.topic, snapshot.state
    FROM unnest((SELECT %b::uuid[]), (SELECT %b::text[])) WITH ORDINALITY AS wanted(originator_id, topic, place)
    LEFT JOIN LATERAL (
        SELECT originator_version, topic, state FROM {snapshots} s
        WHERE s.originator_id = wanted.originator_id AND s.topic = wanted.topic ORDER BY originator_version DESC LIMIT 1
    ) snapshot ON true
)
SELECT place, originator_id, originator_version, topic, state, NULL::timestamptz FROM latest
WHERE originator_version IS NOT NULL
UNION ALL
SELECT latest.place, e.originator_id, e.originator_version, e.topic, e.state, e.recorded_at
FROM latest CROSS JOIN LATERAL (
    SELECT originator_id, originator_version, topic, state, recorded_at FROM {events} own
    WHERE own.originator_id = latest.originator_id AND own.originator_version > coalesce(latest.originator_version, 0)
) e
ORDER BY 1, 3
"""
