"""The batching writer. It appends all waiting appends in one transaction; a conflict fails only its own append."""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog
from psycopg import errors
from psycopg_pool import AsyncConnectionPool

from adapters.background import BackgroundTask
from adapters.log.announcer import Announcer
from adapters.log.append_batches import Append, AppendsRefusedError, Rights, take_batch
from adapters.log.append_transaction import AppendTransaction, InlineProjection
from adapters.log.inline_fence import OutdatedProcess
from adapters.postgres.outages import is_outage, retry_until, time_left
from domain.core.errors import Conflict, DomainError, LostRace, Unavailable
from domain.core.logs import IDENTITY

SWEEP_INTERVAL = 0.2
"""Seconds between checks for overdue appends. A timer for each append took a tenth of its cost."""

LOST_RACES = (errors.DeadlockDetected, errors.SerializationFailure)

_log = structlog.get_logger(__name__)


class AppendWriter:
    """The writer of a log; each process has one per log. `append` returns when the transaction is durable."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        log: str,
        table: str,
        projections: Sequence[InlineProjection],
        rights: Rights | None,
    ) -> None:
        self._max_wait = pool.timeout
        self._transaction = AppendTransaction(str(pool.conninfo), log, table, projections, rights)
        self._rights = rights
        self._announcer = Announcer(pool) if log == IDENTITY else None
        self._refusals: dict[str | None, type[DomainError]] = {}
        for projection in projections:
            self._refusals.update(projection.unique_violations)
        self._waiting: deque[Append] = deque()
        self._wake = asyncio.Event()
        self._pending: set[Append] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._stopping = False
        self._task = BackgroundTask("append", self._write_forever)

    def start(self) -> None:
        self._task.start()
        if self._announcer is not None:
            self._announcer.start()

    async def stop(self) -> None:
        """Write and announce all pending appends, then stop."""
        self._stopping = True
        self._wake.set()
        await self._task.stop()
        if self._announcer is not None:
            await self._announcer.stop()
        await self._transaction.close()

    async def append(self, append: Append) -> int:
        """Return the position of the last event.

        Raises LostRace, DecisionOutdated, a projection's refusal, or Unavailable when the time-out of the pool has
        passed (ruling O29). After Unavailable the append is not written later, unless its COMMIT had already begun.
        """
        if self._stopping:
            raise Unavailable
        self._waiting.append(append)
        self._wake.set()
        self._pending.add(append)
        if self._sweeping is None:
            self._sweep_later()
        try:
            return await append.outcome
        finally:
            self._pending.discard(append)

    def hurry(self) -> None:
        """Announce what is written at once, because a request waits for a follower."""
        if self._announcer is not None:
            self._announcer.hurry()

    def _sweep_later(self) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_INTERVAL, self._fail_overdue)

    def _fail_overdue(self) -> None:
        for append in self._pending:
            if time_left(append.since, self._max_wait) <= 0:
                append.fail(Unavailable())
        self._sweeping = None
        if self._pending:
            self._sweep_later()

    async def _write_forever(self) -> None:
        while self._waiting or not self._stopping:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._write_batch(take_batch(self._waiting, self._rights))

    async def _write_batch(self, batch: Sequence[Append]) -> None:
        batch = _with_callers(batch)
        try:
            await self._write(batch)
        except Exception as error:  # noqa: BLE001 - the command gets the error, and the writer goes on
            if is_outage(error):
                await self._recover(batch)
            else:
                await self._divide(batch, error)

    async def _recover(self, batch: Sequence[Append]) -> None:
        """Write again what was not written, until the database answers or the appends are overdue."""
        try:
            async for attempt in retry_until(batch[-1].since, self._max_wait):
                with attempt:
                    batch = _with_callers(batch)
                    await self._write(await self._unwritten(batch))
        except Exception as error:  # noqa: BLE001 - as above
            if is_outage(error):
                for append in batch:
                    append.fail(Unavailable())
            else:
                await self._divide(batch, error)

    async def _divide(self, batch: Sequence[Append], error: Exception) -> None:
        """Write the appends that did not cause the error.

        If the error names the appends that caused it, the others are written together; otherwise each is written alone.
        """
        if isinstance(error, AppendsRefusedError):
            for append, refusal in error.refusals.items():
                append.fail(refusal)
            await self._write_batch([append for append in batch if append not in error.refusals])
        elif len(batch) <= 1 or isinstance(error, OutdatedProcess):
            for append in batch:
                append.fail(self._refusal(error))
        else:
            for append in batch:
                await self._write_batch([append])

    async def _write(self, batch: Sequence[Append]) -> None:
        if batch:
            position = await self._transaction.append(batch)
            for append in batch:
                position += len(append.rows)
                self._succeed(append, position)

    async def _unwritten(self, batch: Sequence[Append]) -> Sequence[Append]:
        """Return the appends that are not in the log. The others, whose answer was lost, get their positions."""
        written = await self._transaction.find_written(batch) if batch else {}
        for append in batch:
            if append.id in written:
                self._succeed(append, written[append.id])
        return [append for append in batch if append.id not in written]

    def _succeed(self, append: Append, position: int) -> None:
        append.succeed(position)
        if self._announcer is not None:
            self._announcer.announce(position, at_once=append.awaited)

    def _refusal(self, error: Exception) -> Exception:
        """Return the refusal that a projection declares for this error, or the error itself."""
        if isinstance(error, LOST_RACES):
            return LostRace()
        if isinstance(error, errors.NotNullViolation) and error.diag.table_name == "idempotency_keys":
            return Conflict("Another request with this Idempotency-Key was recorded first.")
        if isinstance(error, errors.IntegrityError):
            constraint = error.diag.constraint_name
            if constraint in self._refusals:
                return self._refusals[constraint]()
            _log.error("undeclared-violation", constraint=constraint, table=error.diag.table_name)
        return error


def _with_callers(batch: Sequence[Append]) -> Sequence[Append]:
    """Return the appends whose callers still wait."""
    return [append for append in batch if not append.outcome.done()]
