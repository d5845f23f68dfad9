"""Reads and decodes ranges of the log, by topic, and reports gaps."""

from typing import NamedTuple

from eventsourcing.persistence import StoredEvent
from psycopg import AsyncConnection

from adapters.log.codec import EventCodec
from domain.core.logs import IDENTITY, events_table
from domain.core.recorded import Recorded, stamp


class LogGapError(Exception):
    """A position is missing. The log is corrupt, because positions are assigned without gaps."""

    def __init__(self, log: str, position: int) -> None:
        super().__init__(f"position {position} is missing in the {log} log")
        self.position = position


class Batch(NamedTuple):
    """All events in (after, upto] that have one of the requested topics."""

    after: int
    upto: int
    events: list[Recorded]


class LogReader:
    """Reads one log for its followers."""

    def __init__(self, codec: EventCodec, log: str = IDENTITY) -> None:
        self._codec = codec
        self._log = log
        self._end_of_append = _END_OF_APPEND.format(events=events_table(log))
        self._all = _SELECT.format(events=events_table(log), condition="")
        self._by_topic = _SELECT.format(events=events_table(log), condition="AND e.topic = ANY(%(topics)s)")

    async def head(self, connection: AsyncConnection) -> int:
        """Return the position of the last committed event."""
        cursor = await connection.execute("SELECT position FROM log_head WHERE log = %s", (self._log,), prepare=True)
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def beginning(self, connection: AsyncConnection) -> int:
        """Return the position before the first event, above 0 if old events of the log were deleted."""
        if self._log == IDENTITY:
            return 0  # its events are never deleted, so a missing position is a gap
        cursor = await connection.execute(
            f"SELECT coalesce((SELECT min(notification_id) - 1 FROM {events_table(self._log)}), position)"
            " FROM log_head WHERE log = %s",
            (self._log,),
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def end_of_append(self, connection: AsyncConnection, position: int) -> int:
        """Return the last position of the append that wrote `position`; `position` itself if it has no event.

        Batches end there, so that an append is applied completely or not at all. `position` is at most the head.
        """
        cursor = await connection.execute(
            self._end_of_append, {"position": position, "endless": _ENDLESS}, prepare=True
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def read(self, connection: AsyncConnection, after: int, upto: int, topics: list[str] | None) -> Batch:
        """Return the events in (after, upto] with one of the topics, or all for None. `upto` is at most the head.

        Raises LogGapError when a position is missing, and the errors of decoding.
        """
        cursor = connection.cursor(binary=True)
        statement = self._all if topics is None else self._by_topic
        await cursor.execute(statement, {"after": after, "upto": upto, "topics": topics}, prepare=True)
        counted_rows = await cursor.fetchall()
        if counted_rows[0][0] != upto - after:
            raise LogGapError(self._log, await self._missing(connection, after, upto))
        rows = [row for row in counted_rows if row[1] is not None]
        events = await self._codec.decode_many([StoredEvent(*row[3:]) for row in rows])
        for (_, _, recorded_at, *_), event in zip(rows, events, strict=True):
            stamp(event, recorded_at)
        return Batch(after, upto, [Recorded(row[1], event) for row, event in zip(rows, events, strict=True)])

    async def event_at(self, connection: AsyncConnection, position: int) -> str | None:
        """Return `<originator id>/<version>` of the event at the position, or None if there is none."""
        cursor = await connection.execute(
            f"SELECT originator_id || '/' || originator_version FROM {events_table(self._log)}"
            " WHERE notification_id = %s",
            (position,),
        )
        row = await cursor.fetchone()
        return None if row is None else str(row[0])

    async def _missing(self, connection: AsyncConnection, after: int, upto: int) -> int:
        """Return the first position in (after, upto] that is missing."""
        cursor = await connection.execute(
            f"SELECT min(position) FROM generate_series(%s::bigint, %s::bigint) position"
            f" WHERE NOT EXISTS (SELECT FROM {events_table(self._log)} WHERE notification_id = position)",
            (after + 1, upto),
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


# The next row of another append ends the scan. Rows that other tools wrote have no append id; each counts as an append.
_END_OF_APPEND = """
SELECT coalesce(max(own.notification_id), %(position)s)
FROM {events} here JOIN {events} own ON own.notification_id >= here.notification_id
WHERE here.notification_id = %(position)s AND own.notification_id < coalesce(
    (SELECT later.notification_id FROM {events} later
     WHERE later.notification_id > here.notification_id
       AND (here.append_id IS NULL OR later.append_id IS DISTINCT FROM here.append_id)
     ORDER BY later.notification_id LIMIT 1),
    %(endless)s)
"""
_ENDLESS = 2**62

# The number of all events shows whether there is a gap. If no event matches, the result is one row with nulls.
_SELECT = """
SELECT counted.number, e.notification_id, e.recorded_at, e.originator_id, e.originator_version, e.topic, e.state
FROM (SELECT count(*) AS number FROM {events} WHERE notification_id > %(after)s AND notification_id <= %(upto)s) counted
LEFT JOIN {events} e ON e.notification_id > %(after)s AND e.notification_id <= %(upto)s {condition}
ORDER BY e.notification_id
"""
