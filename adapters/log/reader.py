"""Reads and decodes the log after a position, by topic, and never across a gap."""

from typing import NamedTuple

from eventsourcing.persistence import StoredEvent
from psycopg import AsyncConnection

from adapters.log.codec import EventCodec
from domain.core.logs import IDENTITY, events_table
from domain.core.recorded import Recorded, stamp


class LogGapError(Exception):
    """A position is missing: the log is corrupt, because positions are given out without gaps."""

    def __init__(self, log: str, position: int) -> None:
        super().__init__(f"position {position} is missing in the {log} log")
        self.position = position


class Batch(NamedTuple):
    """The wanted events in (after, upto]; everything else in there was looked at and is not wanted."""

    after: int
    upto: int
    events: list[Recorded]


class LogReader:
    """One log, for those who follow it."""

    def __init__(self, codec: EventCodec, log: str = IDENTITY) -> None:
        self._codec = codec
        self._log = log
        self._border = _BORDER.format(events=events_table(log))
        self._all = _SELECT.format(events=events_table(log), wanted="")
        self._some = _SELECT.format(events=events_table(log), wanted="AND e.topic = ANY(%(topics)s)")

    async def head(self, connection: AsyncConnection) -> int:
        """The position of the last committed event."""
        cursor = await connection.execute("SELECT position FROM log_head WHERE log = %s", (self._log,), prepare=True)
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def beginning(self, connection: AsyncConnection) -> int:
        """The position before the first event: what lies before it is past its keeping, in logs that forget."""
        if self._log == IDENTITY:
            return 0  # kept for ever: whatever is missing is a gap
        cursor = await connection.execute(
            f"SELECT coalesce((SELECT min(notification_id) - 1 FROM {events_table(self._log)}), position)"
            " FROM log_head WHERE log = %s",
            (self._log,),
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def border(self, connection: AsyncConnection, position: int) -> int:
        """Where the append ends that wrote this position: batches end there, so that no append is applied in parts.

        The position itself when no event stands there. `position` is at most the head, which is such a border.
        """
        cursor = await connection.execute(self._border, {"position": position, "endless": _ENDLESS}, prepare=True)
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def read(self, connection: AsyncConnection, after: int, upto: int, topics: list[str] | None) -> Batch:
        """Return the events in (after, upto] with one of the topics, or all for None. `upto` is at most the head.

        Raises LogGapError when a position is missing, and the errors of decoding.
        """
        cursor = connection.cursor(binary=True)
        statement = self._all if topics is None else self._some
        await cursor.execute(statement, {"after": after, "upto": upto, "topics": topics}, prepare=True)
        found = await cursor.fetchall()
        if found[0][0] != upto - after:
            raise LogGapError(self._log, await self._missing(connection, after, upto))
        rows = [row for row in found if row[1] is not None]
        events = await self._codec.decode_many([StoredEvent(*row[3:]) for row in rows])
        for (_, _, recorded_at, *_), event in zip(rows, events, strict=True):
            stamp(event, recorded_at)
        return Batch(after, upto, [Recorded(row[1], event) for row, event in zip(rows, events, strict=True)])

    async def event_at(self, connection: AsyncConnection, position: int) -> str | None:
        """How people find the event again: originator id and version."""
        cursor = await connection.execute(
            f"SELECT originator_id || '/' || originator_version FROM {events_table(self._log)}"
            " WHERE notification_id = %s",
            (position,),
        )
        row = await cursor.fetchone()
        return None if row is None else str(row[0])

    async def _missing(self, connection: AsyncConnection, after: int, upto: int) -> int:
        """Return the first position in (after, upto] that is not there."""
        cursor = await connection.execute(
            f"SELECT min(wanted) FROM generate_series(%s::bigint, %s::bigint) wanted"
            f" WHERE NOT EXISTS (SELECT FROM {events_table(self._log)} WHERE notification_id = wanted)",
            (after + 1, upto),
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


# The first row of another append ends the walk. What other tools wrote has no append: each row is one of its own.
_BORDER = """
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

# The number of all events tells whether there is a gap. Without a wanted event there is one row, with nulls behind it.
_SELECT = """
SELECT counted.number, e.notification_id, e.recorded_at, e.originator_id, e.originator_version, e.topic, e.state
FROM (SELECT count(*) AS number FROM {events} WHERE notification_id > %(after)s AND notification_id <= %(upto)s) counted
LEFT JOIN {events} e ON e.notification_id > %(after)s AND e.notification_id <= %(upto)s {wanted}
ORDER BY e.notification_id
"""
