"""The database transaction of a batch of appends, on the writer's own connection."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import chain
from typing import Protocol
from uuid import UUID

import structlog
from psycopg import AsyncCursor, AsyncPipeline, Error

from adapters.log.append_batches import TICK, Append, AppendsRefusedError, Rights, stamp_in_turns
from adapters.log.append_columns import EncodedArray, EncodedArrayDumper, arrays_of, encode_stream_versions
from adapters.log.append_sql import APPEND, CONFLICTS, READ_BACK, STORE_RESULTS, WAIT_FOR_HEAD
from adapters.log.execute_only import ExecuteOnlyCursor
from adapters.log.inline_fence import OutdatedProcess, described
from adapters.postgres.connections import CLIENT_SETTINGS, PipelineConnection
from adapters.postgres.session_settings import session_dsn
from domain.core.decisions import Decision
from domain.core.errors import DecisionOutdated, DomainError, LostRace, Unavailable
from domain.core.recorded import Event, Recorded
from domain.core.turns import InTurns

TRANSACTION_TIMEOUT = "8s"
"""Ends the transaction of a process that stops in the middle of a large message; Postgres has this limit since version
17. The limits of the session end only transactions of processes that stop between two messages (ruling O29)."""

FIRST_WITH_TRANSACTION_TIMEOUT = 170_000

_log = structlog.get_logger(__name__)


class InlineProjection(Protocol):
    """The part of a projection that the writer needs: see `projections.core.projection.InlineProjection`."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def events(self) -> tuple[type[Event], ...] | None: ...
    @property
    def unique_violations(self) -> Mapping[str, type[DomainError]]: ...

    async def apply(self, cursor: ExecuteOnlyCursor, events: Sequence[Recorded]) -> None: ...


class AppendTransaction:
    """Appends batches over one connection, which it opens when it needs one, and again after the connection is lost."""

    def __init__(
        self,
        dsn: str,
        log: str,
        table: str,
        projections: Sequence[InlineProjection],
        rights: Rights | None = None,
    ) -> None:
        self._dsn = session_dsn(dsn, "write", client_connection_check_interval="1s")
        self._log = log
        self._append_sql = APPEND.format(events=table)
        self._conflicts_sql = CONFLICTS.format(events=table)
        self._read_back_sql = READ_BACK.format(events=table)
        self._projections = projections
        self._rights = rights
        self._inline = described(projections)
        self._projections_by_event: dict[type[Event], list[InlineProjection]] = {}
        self._connection: PipelineConnection | None = None

    async def append(self, batch: Sequence[Append]) -> int:
        """Write all appends of the batch or none; return the position before the first event.

        Raises AppendsRefusedError for appends that lost a race or a right, and OutdatedProcess. The appends of a batch
        must not concern each other; `take_batch` ensures that. COMMIT is sent only when the transaction holds the lock
        of the head row, so the result of `find_written` cannot change later.
        """
        connection = await self._connected()
        try:
            async with connection.pipeline() as pipeline:
                base = await self._append(connection, pipeline, batch)
                await self._project(ExecuteOnlyCursor(connection.cursor()), base, batch)
                await self._store_results(connection.cursor(), base, batch)
                await connection.execute("COMMIT")
        except BaseException:
            await self._give_up(connection)
            raise
        return base

    async def find_written(self, batch: Sequence[Append]) -> dict[UUID, int]:
        """Return the positions of the appends that are in the log, by id, and give their events their times.

        It waits for the lock of the head row, so an earlier attempt has ended before it reads.
        """
        connection = await self._connected()
        ends = [row for append in batch for row in (append.rows[0], append.rows[-1])]
        try:
            async with connection.transaction():
                await connection.execute(WAIT_FOR_HEAD, {"log": self._log})
                cursor = await connection.execute(
                    self._read_back_sql,
                    {
                        "ids": [row.originator_id for row in ends],
                        "versions": [row.originator_version for row in ends],
                    },
                )
                written = {append_id: (position, at) for append_id, position, at in await cursor.fetchall()}
        except BaseException:
            await self._give_up(connection)
            raise
        for append in batch:
            if append.id in written:
                await stamp_in_turns(append.events, written[append.id][1] - (len(append.events) - 1) * TICK)
        return {append_id: position for append_id, (position, _) in written.items()}

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> PipelineConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await PipelineConnection.connect(
                self._dsn, autocommit=True, application_name="rollbook-writer", **CLIENT_SETTINGS
            )
            self._connection.adapters.register_dumper(EncodedArray, EncodedArrayDumper)
            if self._connection.info.server_version >= FIRST_WITH_TRANSACTION_TIMEOUT:
                await self._connection.execute(f"SET transaction_timeout = '{TRANSACTION_TIMEOUT}'")
        return self._connection

    async def _give_up(self, connection: PipelineConnection) -> None:
        """Roll back, or close the connection if that fails."""
        with suppress(Error):
            await connection.rollback()
            return
        await self.close()

    async def _append(self, connection: PipelineConnection, pipeline: AsyncPipeline, batch: Sequence[Append]) -> int:
        """Insert the events under the lock of the head row, and give them their times.

        Return the position before the first event. Raises AppendsRefusedError and OutdatedProcess. It sends a Sync,
        because Postgres applies its limit of idle transactions only after one.
        """
        count = sum(len(append.rows) for append in batch)
        ends = [(stream, version + 1) for append in batch for stream, version in append.unchanged]
        encoded_ends = await encode_stream_versions(ends) if ends else {}
        decisions = [append.decision for append in batch if append.decision is not None] if self._rights else []
        arrays = arrays_of([row for append in batch for row in append.encoded])
        values = {"log": self._log, "inline": self._inline, "count": count, **arrays}
        cursor, conflicts_cursor, rights_cursor = connection.cursor(), connection.cursor(), connection.cursor()
        await connection.execute("BEGIN")
        await cursor.execute(self._append_sql, values, prepare=True)
        if ends:
            await self._ask_conflicts(conflicts_cursor, encoded_ends, count)
        if self._rights and decisions:
            await self._rights.ask(rights_cursor, decisions)
        await pipeline.sync()
        row = await cursor.fetchone()
        if row is None:
            _log.error("inline-projections-differ", log=self._log, ours=self._inline)
            raise OutdatedProcess
        base, at, appended, _ = row
        conflicts = {stream for (stream,) in await conflicts_cursor.fetchall()} if ends else set()
        if appended < count:
            pairs = [pair for append in batch for pair in append.stream_versions]
            await self._ask_conflicts(cursor, await encode_stream_versions(pairs), count)
            await pipeline.sync()
            conflicts |= {stream for (stream,) in await cursor.fetchall()}
            assert conflicts, "a row that was not inserted exists already"
        ended = await self._rights.ended(rights_cursor, decisions) if self._rights and decisions else []
        _require_no_conflict(batch, conflicts, ended)
        await stamp_in_turns(chain.from_iterable(append.events for append in batch), at)
        return int(base)

    async def _ask_conflicts(self, cursor: AsyncCursor, arrays: Mapping[str, EncodedArray], count: int) -> None:
        await cursor.execute(self._conflicts_sql, {**arrays, "log": self._log, "count": count}, prepare=True)

    async def _project(self, cursor: ExecuteOnlyCursor, base: int, batch: Sequence[Append]) -> None:
        by_projection: dict[str, list[Recorded]] = {}
        events = chain.from_iterable(append.events for append in batch)
        async for numbered in InTurns(enumerate(events, base + 1)):  # a large append takes turns (ruling O8)
            for position, event in numbered:
                for projection in self._projections_of(type(event)):
                    by_projection.setdefault(projection.name, []).append(Recorded(position, event))
        for projection in self._projections:
            recorded = by_projection.get(projection.name, [])
            if recorded:
                await projection.apply(cursor, recorded)

    def _projections_of(self, kind: type[Event]) -> list[InlineProjection]:
        """Return the projections that read events of this class."""
        projections = self._projections_by_event.get(kind)
        if projections is None:
            projections = [
                projection
                for projection in self._projections
                if projection.events is None or issubclass(kind, projection.events)
            ]
            self._projections_by_event[kind] = projections
        return projections

    async def _store_results(self, cursor: AsyncCursor, base: int, batch: Sequence[Append]) -> None:
        rows: dict[tuple[UUID, str], tuple[bytes, int, str | None, int]] = {}
        position = base
        for append in batch:
            position += len(append.rows)
            if (request := append.request) is not None:
                key = request.user_id, request.key
                if key in rows and rows[key][0] != request.fingerprint:
                    raise LostRace  # the appends are then written alone, and the second one is refused as a Conflict
                rows[key] = request.fingerprint, request.status, append.resource_id, position
        if rows:
            columns = zip(*(key + row for key, row in rows.items()), strict=True)
            names = ("users", "keys", "fingerprints", "statuses", "resources", "positions")
            await cursor.execute(STORE_RESULTS, dict(zip(names, map(list, columns), strict=True)))


def _require_no_conflict(batch: Sequence[Append], conflicts: AbstractSet[UUID], ended: Sequence[Decision]) -> None:
    """Raise AppendsRefusedError for appends that lost a race or a right, or whose caller does not wait any more."""
    refusals: dict[Append, DomainError] = {}
    for append in batch:
        if append.outcome.done():
            refusals[append] = Unavailable()
        elif conflicts and not append.streams.isdisjoint(conflicts):
            refusals[append] = LostRace(streams=append.streams & conflicts)
        elif append.decision in ended:
            refusals[append] = DecisionOutdated()
    if refusals:
        raise AppendsRefusedError(refusals)
