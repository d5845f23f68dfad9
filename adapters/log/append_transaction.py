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
from adapters.log.append_columns import EncodedArray, EncodedArrayDumper, arrays_of, encode_places
from adapters.log.append_sql import APPEND, READ_BACK, REMEMBER, SETTLE, TAKEN
from adapters.log.execute_only import ExecuteOnlyCursor
from adapters.log.inline_fence import OutdatedProcess, described
from adapters.postgres.connections import CLIENT_SETTINGS, PipelineConnection
from adapters.postgres.session_settings import session_dsn
from domain.core.decisions import Decision
from domain.core.errors import DecisionOutdated, DomainError, LostRace, Unavailable
from domain.core.recorded import Event, Recorded
from domain.core.turns import InTurns

TRANSACTION_TIMEOUT = "8s"
"""The limits of the session let go of a process that stops between two messages. This one, which Postgres has since
version 17, also lets go of one that stops in the middle of a large message (ruling O29)."""

FIRST_WITH_TRANSACTION_TIMEOUT = 170_000

_log = structlog.get_logger(__name__)


class InlineProjection(Protocol):
    """A projection as the writer needs it: see `projections.core.projection.InlineProjection`."""

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
    """Opened when first needed, kept from batch to batch, opened anew after a failure that it does not survive."""

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
        self._taken_sql = TAKEN.format(events=table)
        self._read_back_sql = READ_BACK.format(events=table)
        self._projections = projections
        self._rights = rights
        self._inline = described(projections)
        self._interested: dict[type[Event], list[InlineProjection]] = {}
        self._connection: PipelineConnection | None = None

    async def append(self, batch: Sequence[Append]) -> int:
        """All or nothing; returns the position before the first event.

        Raises AppendsRefusedError for those that lost a race or a right: to be written together they must not concern
        each other, as `take_batch` sees to. COMMIT is only sent once the head's lock is known to be held: this is what
        makes `settled` the last word.
        """
        connection = await self._connected()
        try:
            async with connection.pipeline() as pipeline:
                base = await self._append(connection, pipeline, batch)
                await self._project(ExecuteOnlyCursor(connection.cursor()), base, batch)
                await self._remember(connection.cursor(), base, batch)
                await connection.execute("COMMIT")
        except BaseException:
            await self._give_up(connection)
            raise
        return base

    async def settled(self, batch: Sequence[Append]) -> dict[UUID, int]:
        """Return the positions of the appends that are in the log, by id; their events get their times.

        Waits for an earlier attempt that may still commit, because it holds the lock of the head row.
        """
        connection = await self._connected()
        ends = [row for append in batch for row in (append.rows[0], append.rows[-1])]
        try:
            async with connection.transaction():
                await connection.execute(SETTLE, {"log": self._log})
                cursor = await connection.execute(
                    self._read_back_sql,
                    {
                        "ids": [row.originator_id for row in ends],
                        "versions": [row.originator_version for row in ends],
                    },
                )
                found = {append_id: (position, at) for append_id, position, at in await cursor.fetchall()}
        except BaseException:
            await self._give_up(connection)
            raise
        for append in batch:
            if append.id in found:
                await stamp_in_turns(append.events, found[append.id][1] - (len(append.events) - 1) * TICK)
        return {append_id: position for append_id, (position, _) in found.items()}

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
        """Take the lock of the head row; return the position before the first event. The events get their times.

        Raises AppendsRefusedError, and OutdatedProcess.

        Only after a Sync does Postgres apply its limit on idle transactions.
        """
        count = sum(len(append.rows) for append in batch)
        ends = [(stream, version + 1) for append in batch for stream, version in append.unchanged]
        guarded = await encode_places(ends) if ends else {}
        decisions = [append.decision for append in batch if append.decision is not None] if self._rights else []
        arrays = arrays_of([row for append in batch for row in append.encoded])
        values = {"log": self._log, "inline": self._inline, "count": count, **arrays}
        cursor, guarding, asking = connection.cursor(), connection.cursor(), connection.cursor()
        await connection.execute("BEGIN")
        await cursor.execute(self._append_sql, values, prepare=True)
        if ends:
            await self._ask_taken(guarding, guarded, count)
        if self._rights and decisions:
            await self._rights.ask(asking, decisions)
        await pipeline.sync()
        row = await cursor.fetchone()
        if row is None:
            _log.error("inline-projections-differ", log=self._log, ours=self._inline)
            raise OutdatedProcess
        base, at, appended, _ = row
        taken = {stream for (stream,) in await guarding.fetchall()} if ends else set()
        if appended < count:
            written = await encode_places([place for append in batch for place in append.places])
            await self._ask_taken(cursor, written, count)
            await pipeline.sync()
            taken |= {stream for (stream,) in await cursor.fetchall()}
            assert taken, "what was not inserted stood there"
        ended = await self._rights.ended(asking, decisions) if self._rights and decisions else []
        _refuse(batch, taken, ended)
        await stamp_in_turns(chain.from_iterable(append.events for append in batch), at)
        return int(base)

    async def _ask_taken(self, cursor: AsyncCursor, places: Mapping[str, EncodedArray], count: int) -> None:
        await cursor.execute(self._taken_sql, {**places, "log": self._log, "count": count}, prepare=True)

    async def _project(self, cursor: ExecuteOnlyCursor, base: int, batch: Sequence[Append]) -> None:
        chosen: dict[str, list[Recorded]] = {}
        events = chain.from_iterable(append.events for append in batch)
        async for some in InTurns(enumerate(events, base + 1)):  # others take turns with a large append (ruling O8)
            for position, event in some:
                for projection in self._projections_for(type(event)):
                    chosen.setdefault(projection.name, []).append(Recorded(position, event))
        for projection in self._projections:
            wanted = chosen.get(projection.name, [])
            if wanted:
                await projection.apply(cursor, wanted)

    def _projections_for(self, kind: type[Event]) -> list[InlineProjection]:
        found = self._interested.get(kind)
        if found is None:
            found = [each for each in self._projections if each.events is None or issubclass(kind, each.events)]
            self._interested[kind] = found
        return found

    async def _remember(self, cursor: AsyncCursor, base: int, batch: Sequence[Append]) -> None:
        rows: dict[tuple[UUID, str], tuple[bytes, int, str | None, int]] = {}
        position = base
        for append in batch:
            position += len(append.rows)
            if (request := append.request) is not None:
                key = request.user_id, request.key
                if key in rows and rows[key][0] != request.fingerprint:
                    raise LostRace  # written alone, the second is refused for what it is
                rows[key] = request.fingerprint, request.status, append.resource_id, position
        if rows:
            columns = zip(*(key + row for key, row in rows.items()), strict=True)
            names = ("users", "keys", "fingerprints", "statuses", "resources", "positions")
            await cursor.execute(REMEMBER, dict(zip(names, map(list, columns), strict=True)))


def _refuse(batch: Sequence[Append], taken: AbstractSet[UUID], ended: Sequence[Decision]) -> None:
    """Raises AppendsRefusedError for those that lost a race or a right, and those that no caller waits for any more."""
    refusals: dict[Append, DomainError] = {}
    for append in batch:
        if append.outcome.done():
            refusals[append] = Unavailable()
        elif taken and not append.streams.isdisjoint(taken):
            refusals[append] = LostRace(streams=append.streams & taken)
        elif append.decision in ended:
            refusals[append] = DecisionOutdated()
    if refusals:
        raise AppendsRefusedError(refusals)
