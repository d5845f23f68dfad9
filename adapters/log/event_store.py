"""The event store: one batching writer per process, gap-free commit-ordered positions, inline projections.

All waiting appends are written in one transaction (group commit), because the lock of the head row makes appends serial
anyway: 64 callers share one fsync instead of waiting for 64.
"""

import asyncio
from collections.abc import Iterable, Sequence
from copy import deepcopy
from itertools import chain, islice
from time import monotonic
from typing import Any, Self, TypeVar
from uuid import UUID, uuid4

import structlog
from eventsourcing.persistence import StoredEvent
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from adapters.log.append import AppendWriter
from adapters.log.append_batches import Append, Rights
from adapters.log.append_columns import encode_rows
from adapters.log.append_sql import LOCK_HEAD
from adapters.log.append_transaction import InlineProjection
from adapters.log.codec import EventCodec, snapshot_topic
from adapters.log.inline_fence import OutdatedProcess, described
from adapters.log.stream_reader import Row, Stream, StreamReader
from adapters.metrics import APPENDS, SNAPSHOT_FAILURES
from adapters.postgres.outages import retry_in_outage
from adapters.security.keyring import Keyring
from domain.core.audited import Audited
from domain.core.decisions import current_decision
from domain.core.idempotency import current_recording
from domain.core.logs import IDENTITY, events_table, snapshots_table
from domain.core.personal import PersonErased
from domain.core.ports import Store
from domain.core.recorded import Event
from domain.core.turns import InTurns, in_turns

_log = structlog.get_logger()

TAggregate = TypeVar("TAggregate", bound=Audited)

MAX_STREAMS = 500
"""Streams read by one query. No other task runs while a query is sent or its rows are fetched."""


class EventStore(Store):
    """Implements `domain.core.ports.Store` for one log. The writer runs inside its `with` block."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        log: str,
        projections: Sequence[InlineProjection],
        keyring: Keyring,
        rights: Rights | None = None,
    ) -> None:
        """`rights` check the rights of each decision again in its append; without them nothing is checked."""
        self._pool = pool
        self._log = log
        self._inline = described(projections)
        self._codec = EventCodec(keyring)
        self._writer = AppendWriter(pool, log, events_table(log), projections, rights)
        self._streams = StreamReader(pool, events_table(log), snapshots_table(log))
        self._snapshotting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._writer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._writer.stop()
        await asyncio.gather(*self._snapshotting, return_exceptions=True)

    async def find(self, kind: type[TAggregate], aggregate_id: UUID) -> TAggregate | None:
        return (await self.get_many(kind, [aggregate_id])).get(aggregate_id)

    async def get_many(self, kind: type[TAggregate], aggregate_ids: Iterable[UUID]) -> dict[UUID, TAggregate]:
        aggregates: dict[UUID, TAggregate] = {}
        async for ids in InTurns(dict.fromkeys(aggregate_ids), MAX_STREAMS):
            loaded = await self._load([(kind, aggregate_id) for aggregate_id in ids])
            # a request may contain any id: aggregates of another kind are left out
            aggregates |= {aggregate.id: aggregate for aggregate in loaded if isinstance(aggregate, kind)}
        return aggregates

    async def find_each(self, *references: tuple[type[Audited], UUID]) -> Any:
        aggregates = await self._load(references)
        return tuple(
            aggregate if isinstance(aggregate, kind) else None
            for aggregate, (kind, _) in zip(aggregates, references, strict=True)
        )

    async def _load(self, references: Sequence[tuple[type[Audited], UUID]]) -> list[Audited | None]:
        streams = [Stream(kind.stream_of(aggregate_id), snapshot_topic(kind)) for kind, aggregate_id in references]
        rows_of_streams = await self._streams.rows(streams)
        stored = [
            StoredEvent(aggregate_id if "#" in row.topic else row.stream, row.version, row.topic, row.state)
            for (_, aggregate_id), rows in zip(references, rows_of_streams, strict=True)
            for row in rows
        ]
        events = iter(await self._codec.decode_many(stored))
        return await in_turns(lambda rows: _replayed(islice(events, len(rows)), rows), rows_of_streams)

    async def head(self) -> int:
        """Return the position of the last committed event, 0 in an empty log."""

        async def read(connection: AsyncConnection) -> int:
            cursor = await connection.execute("SELECT position FROM log_head WHERE log = %s", (self._log,))
            row = await cursor.fetchone()
            assert row is not None
            return int(row[0])

        return await retry_in_outage(self._pool, read)

    async def lock_head(self, max_wait: float) -> None:
        """Take and release the lock that every append takes; `max_wait` is in seconds.

        Raises OutdatedProcess when appends of this process are refused, TimeoutError, and the errors of Postgres.
        """
        milliseconds = int(max_wait * 1000)
        async with asyncio.timeout(2 * max_wait), self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{milliseconds}ms",))
            cursor = await connection.execute(LOCK_HEAD, {"log": self._log, "inline": self._inline})
            if await cursor.fetchone() is None:
                raise OutdatedProcess

    def hurry(self) -> None:
        """Announce at once what this process has saved, because a request waits for a read model."""
        self._writer.hurry()

    async def save(self, *aggregates: Audited, unchanged: Sequence[Audited] = (), result: UUID | None = None) -> int:
        """As in `domain.core.ports.Store`. Notes the position in the command's recording after the commit."""
        recording = current_recording() if self._log == IDENTITY else None
        if recording is not None and result is not None and not recording.named:
            recording.resource_id = str(result)
        fresh: list[Sequence[Event]] = await in_turns(lambda aggregate: aggregate.collect_events(), aggregates)
        events = list(chain.from_iterable(fresh))
        if not events:
            head = await self.head()
            if recording is not None:
                recording.note(head)
            return head
        rows = await self._codec.encode_many(events)
        append_id = uuid4()
        append = Append(
            id=append_id,
            events=events,
            rows=rows,
            encoded=await encode_rows(append_id, rows, events),
            unchanged=await in_turns(_end_of, unchanged),
            request=None if recording is None else recording.request,
            resource_id=None if recording is None else recording.resource_id,
            decision=current_decision() if self._log == IDENTITY else None,
            awaited=recording is None or recording.awaited,
        )
        position = await self._writer.append(append)
        APPENDS.observe(monotonic() - append.since)
        if recording is not None:
            recording.note(position, events)
        async for saved in InTurns(zip(aggregates, fresh, strict=True)):
            for aggregate, own in saved:
                if own:
                    aggregate.modified_on = own[-1].timestamp  # the time of the append, as read models show it
                self._snapshot_when_due(aggregate, len(own))
        return position

    def _snapshot_when_due(self, aggregate: Audited, fresh: int) -> None:
        every = aggregate.SNAPSHOT_EVERY
        if every and aggregate.version // every != (aggregate.version - fresh) // every:
            task = asyncio.create_task(self._snapshot(deepcopy(aggregate)))
            self._snapshotting.add(task)
            task.add_done_callback(self._snapshotting.discard)

    async def _snapshot(self, aggregate: Audited) -> None:
        """Save a snapshot. An error fails no command, but is logged and counted, because it may persist."""
        try:
            row = await self._codec.encode_snapshot(aggregate)
            async with self._pool.connection() as connection, connection.transaction():
                await _replace_snapshot(connection, snapshots_table(self._log), row)
        except PersonErased:  # erased meanwhile, so there is nothing to save
            return
        except Exception as error:  # noqa: BLE001 - the command has succeeded, whatever the error is
            SNAPSHOT_FAILURES.inc()
            _log.warning("snapshot-failed", aggregate=type(aggregate).__name__, reason=type(error).__name__)


def _end_of(aggregate: Audited) -> tuple[UUID, int]:
    """Return the aggregate's stream and version."""
    return aggregate.stream_of(aggregate.id), aggregate.version


def _replayed(events: Iterable[Any], rows: Sequence[Row]) -> Audited | None:
    """Return the aggregate, or None without events. Its `modified_on` is the time of the append, as in read models."""
    aggregate: Audited | None = None
    for event in events:
        aggregate = event.mutate(aggregate)
    if aggregate is not None and rows[-1].recorded_at is not None:
        aggregate.modified_on = rows[-1].recorded_at
    return aggregate


async def _replace_snapshot(connection: AsyncConnection, table: str, row: StoredEvent) -> None:
    """Write the snapshot unless there is a later one, and remove earlier ones."""
    values = {"stream": row.originator_id, "version": row.originator_version, "topic": row.topic, "state": row.state}
    await connection.execute(_INSERT_SNAPSHOT.format(table=table), values)
    await connection.execute(_REMOVE_SNAPSHOTS.format(table=table), values)


_INSERT_SNAPSHOT = """
INSERT INTO {table} (originator_id, originator_version, topic, state)
SELECT %(stream)s, %(version)s, %(topic)s, %(state)s WHERE NOT EXISTS (
    SELECT FROM {table} WHERE originator_id = %(stream)s AND topic = %(topic)s AND originator_version > %(version)s)
ON CONFLICT (originator_id, originator_version) DO NOTHING
"""
_REMOVE_SNAPSHOTS = "DELETE FROM {table} WHERE originator_id = %(stream)s AND originator_version < %(version)s"
