"""The batching writer: what waits is appended in one transaction, and nobody pays for a neighbour's conflict."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, ClassVar, Protocol
from uuid import UUID, uuid4

from eventsourcing.persistence import StoredEvent
from psycopg import AsyncConnection, AsyncCursor, Error, OperationalError, errors
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from adapters.append_sql import APPEND, GUARD, READ_BACK, REMEMBER, SETTLE
from domain.errors import AlreadyExists, DomainError, LostRace, Unavailable
from domain.idempotency import IdempotentRequest
from domain.recorded import Event, Recorded

MOST_IN_A_BATCH = 500
SECONDS_TO_RECOVER = 20

LOST_RACES = (errors.ForeignKeyViolation, errors.DeadlockDetected, errors.SerializationFailure)


class InlineProjection(Protocol):
    """What the writer asks of a projection: see `projections.projection.Projection`."""

    name: ClassVar[str]
    events: ClassVar[tuple[type[Event], ...] | None]

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None: ...


@dataclass(eq=False)
class Append:
    """One command's events on their way into the log; `outcome` is the position of the last of them."""

    events: Sequence[Event]
    rows: Sequence[StoredEvent]
    unchanged: Sequence[tuple[UUID, int]]
    request: IdempotentRequest | None
    id: UUID = field(default_factory=uuid4)
    outcome: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def succeed(self, position: int) -> None:
        if not self.outcome.done():
            self.outcome.set_result(position)

    def fail(self, error: BaseException) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


class AppendWriter:
    """One per process and log. `append` returns once the transaction is durable."""

    def __init__(
        self, pool: AsyncConnectionPool, log_name: str, table: str, projections: Sequence[InlineProjection]
    ) -> None:
        self._pool = pool
        self._log = log_name
        self._append_sql = APPEND.format(events=table)
        self._guard_sql = GUARD.format(events=table)
        self._read_back_sql = READ_BACK.format(events=table)
        self._key = f"{table}_pkey"
        self._projections = projections
        self._interested: dict[type[Event], list[InlineProjection]] = {}
        self._waiting: deque[Append] = deque()
        self._wake = asyncio.Event()
        self._committed = asyncio.Event()
        self._position = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._connection: AsyncConnection | None = None

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._write_forever()), asyncio.create_task(self._announce_forever())]

    async def stop(self) -> None:
        """What was handed over before is still written."""
        self._stopping = True
        self._wake.set()
        await self._tasks[0]
        self._tasks[1].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tasks[1]
        await self._disconnect()

    async def append(self, append: Append) -> int:
        """The position of the last event. Raises LostRace, AlreadyExists, a projection's refusal, or Unavailable."""
        if self._stopping:
            raise Unavailable
        self._waiting.append(append)
        self._wake.set()
        return await asyncio.shield(append.outcome)

    async def _write_forever(self) -> None:
        while self._waiting or not self._stopping:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_IN_A_BATCH))]
            await self._write_batch(batch)

    async def _write_batch(self, batch: list[Append]) -> None:
        try:
            await self._write_settled(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, its command is told and the writer goes on
            if len(batch) == 1:
                batch[0].fail(self._refusal(error))
                return
            for append in batch:
                await self._write_batch([append])

    async def _write_settled(self, batch: list[Append]) -> None:
        """Write, and when the connection is lost find out whether it was written before writing it again."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_lost_connection),
            stop=stop_after_delay(SECONDS_TO_RECOVER),
            wait=wait_exponential_jitter(multiplier=0.05, max=2, jitter=0.05),
            reraise=True,
        )
        unsettled = False
        try:
            async for attempt in retrying:
                with attempt:
                    if unsettled:
                        batch = await self._settle(batch)
                    unsettled = True
                    if batch:
                        await self._write(batch)
        except (OperationalError, PoolTimeout) as error:
            if not _is_lost_connection(error):
                raise
            for append in batch:
                append.fail(Unavailable())

    async def _settle(self, batch: list[Append]) -> list[Append]:
        """Those of the batch that are not in the log; the others are told their positions."""
        firsts = [append.rows[0] for append in batch]
        lasts = [append.rows[-1] for append in batch]
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(SETTLE, {"log": self._log})
            cursor = await connection.execute(
                self._read_back_sql,
                {
                    "ids": [row.originator_id for row in chain(firsts, lasts)],
                    "versions": [row.originator_version for row in chain(firsts, lasts)],
                },
            )
            written: dict[UUID, int] = dict(await cursor.fetchall())
        for append in batch:
            if append.id in written:
                append.succeed(written[append.id])
        return [append for append in batch if append.id not in written]

    async def _write(self, batch: Sequence[Append]) -> None:
        async with self._pool.connection() as connection, connection.pipeline(), connection.transaction():
            base = await self._execute(connection, batch)
        position = base
        for append in batch:
            position += len(append.events)
            append.succeed(position)
        if self._log == "identity":
            self._position = position
            self._committed.set()

    async def _connected(self) -> AsyncConnection:
        """The writer's own connection, kept from batch to batch."""
        if self._connection is None or self._connection.closed:
            self._connection = await self._pool.getconn()
            await self._connection.set_autocommit(True)
        return self._connection

    async def _give_up(self, connection: AsyncConnection) -> None:
        """Back to a connection in no transaction, or to none."""
        try:
            await connection.rollback()
        except Error:
            await self._disconnect()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Error):
                await connection.set_autocommit(False)
            await self._pool.putconn(connection)

    async def _execute(self, connection: AsyncConnection, batch: Sequence[Append]) -> int:
        """Everything that is one transaction; returns the position before the batch."""
        cursor = connection.cursor()
        await cursor.execute(self._append_sql, self._columns(batch), prepare=True)
        guards = [guard for append in batch for guard in append.unchanged]
        guard_cursor = connection.cursor()
        if guards:
            await guard_cursor.execute(
                self._guard_sql, {"ids": [stream for stream, _ in guards], "versions": [end for _, end in guards]}
            )
        row = await cursor.fetchone()
        assert row is not None
        base = int(row[0])
        if guards and (await guard_cursor.fetchone() or (0,))[0]:
            raise LostRace
        await self._project(cursor, base, batch)
        return base

    async def _project(self, cursor: AsyncCursor, base: int, batch: Sequence[Append]) -> None:
        events = chain.from_iterable(append.events for append in batch)
        chosen: dict[str, list[Recorded]] = {}
        for position, event in enumerate(events, base + 1):
            for projection in self._projections_for(type(event)):
                chosen.setdefault(projection.name, []).append(Recorded(position, event))
        for projection in self._projections:
            if projection.name in chosen:
                await projection.apply(cursor, chosen[projection.name])
        await self._remember(cursor, base, batch)

    def _projections_for(self, kind: type[Event]) -> list[InlineProjection]:
        found = self._interested.get(kind)
        if found is None:
            found = [each for each in self._projections if each.events is None or issubclass(kind, each.events)]
            self._interested[kind] = found
        return found

    async def _remember(self, cursor: AsyncCursor, base: int, batch: Sequence[Append]) -> None:
        remembered: dict[tuple[UUID, str], tuple[IdempotentRequest, int]] = {}
        position = base
        for append in batch:
            position += len(append.events)
            if append.request is not None:
                remembered[append.request.user_id, append.request.key] = (append.request, position)
        if remembered:
            await cursor.execute(
                REMEMBER,
                {
                    "users": [request.user_id for request, _ in remembered.values()],
                    "keys": [request.key for request, _ in remembered.values()],
                    "fingerprints": [request.fingerprint for request, _ in remembered.values()],
                    "positions": [position for _, position in remembered.values()],
                },
            )

    def _columns(self, batch: Sequence[Append]) -> dict[str, Any]:
        rows = [row for append in batch for row in append.rows]
        events = [event for append in batch for event in append.events]
        circumstances = [vars(event)["by"] for event in events]
        return {
            "log": self._log,
            "count": len(rows),
            "ids": [row.originator_id for row in rows],
            "versions": [row.originator_version for row in rows],
            "topics": [row.topic for row in rows],
            "states": [row.state for row in rows],
            "times": [vars(event)["timestamp"] for event in events],
            "actors": [by.actor for by in circumstances],
            "organizations": [_organization(event) for event in events],
            "correlations": [by.correlation for by in circumstances],
            "appends": [append.id for append in batch for _ in append.rows],
        }

    def _refusal(self, error: Exception) -> Exception:
        if isinstance(error, LOST_RACES):
            return LostRace()
        if isinstance(error, errors.UniqueViolation):
            constraint = error.diag.constraint_name or ""
            if constraint == self._key:
                return LostRace()
            for projection in self._projections:
                taken: dict[str, type[DomainError]] = getattr(projection, "taken", {})
                if constraint in taken:
                    return taken[constraint]()
            return AlreadyExists()
        return error

    async def _announce_forever(self) -> None:
        """NOTIFY after the commit and once for many: inside it would serialise what the batch just saved."""
        while True:
            await self._committed.wait()
            self._committed.clear()
            with contextlib.suppress(OperationalError, PoolTimeout):
                async with self._pool.connection() as connection:
                    await connection.execute("SELECT pg_notify('rollbook_log', %s)", (str(self._position),))


def _is_lost_connection(error: BaseException) -> bool:
    return isinstance(error, OperationalError | PoolTimeout) and not isinstance(error, LOST_RACES)


def _organization(event: Event) -> UUID | None:
    """The organization that the event is about, for auditors who look without decoding."""
    fields = vars(event)
    if type(event).__qualname__.startswith("Organization."):
        return event.originator_id
    found: UUID | None = fields.get("organization_id", fields["by"].organization)
    return found
