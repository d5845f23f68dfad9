"""Rebuilds projections beside their live tables and swaps them in, so that readers never see a gap or older rows.

A killed rebuild is resumed where it stopped. The live tables are written and read as usual in the meantime.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from psycopg import AsyncConnection, errors
from psycopg_pool import AsyncConnectionPool

from adapters.log.codec import EventCodec
from adapters.log.execute_only import ExecuteOnlyCursor
from adapters.log.reader import Batch, LogReader
from adapters.postgres.connections import Pool
from adapters.security.keyring import Keyring
from adapters.settings import Settings
from domain.core.logs import IDENTITY
from domain.core.recorded import topics_of
from projections import registry
from projections.core.projection import InlineProjection, Projection
from workers.following import leases
from workers.following import table_copies as copies
from workers.following.failures import describe
from workers.following.followers import register_all
from workers.following.inline_sets import declare_inline
from workers.following.rebuild_connections import connect, record_heartbeat
from workers.following.swap_locks import MAX_LOCK_WAIT, MIN_LOCK_WAIT, drop_retired, has_old_readers, lock_position

BATCH = 3000  # a third faster than 1,000 where many tables are written
MAX_EVENTS_IN_SWAP = 300  # they lengthen the locks of the swap by some 10 ms
FIRST_ANALYSIS = 10_000  # events; the copies are analyzed again whenever there are ten times as many
HEARTBEAT = 2.0  # seconds
REPORT = 1.0  # seconds

Report = Callable[[str], None]
Declare = Callable[[AsyncConnection], Awaitable[None]]


class RebuildRefusedError(Exception):
    """The projection cannot be rebuilt; the text gives the reason."""


async def rebuild(settings: Settings, names: Sequence[str], report: Report) -> None:
    """Rebuild the named projections one after the other; without names, all. Raises RebuildRefusedError."""
    pool = Pool(settings.owner_dsn("rebuild"), application_name="rollbook-rebuild", max_size=3)
    async with pool:
        keyring = Keyring(pool, settings.master_key_bytes())
        lookup = await keyring.lookup()
        known = [
            (projection, log)
            for log in registry.LOGS
            for projection in (*registry.inline(lookup, log), *registry.background(log))
        ]
        known_names = {projection.name for projection, _ in known}
        if unknown := set(names) - known_names:
            raise RebuildRefusedError(
                f"no projection is named {', '.join(sorted(unknown))}; there are {', '.join(sorted(known_names))}"
            )
        async with pool.connection() as connection:
            await register_all(connection, lookup)
        for projection, log in known:
            if projection.name in names or not names:
                declare = partial(declare_inline, lookup=lookup)
                await rebuild_one(settings.owner_dsn(), pool, keyring, projection, report, log=log, declare=declare)


async def rebuild_one(
    owner_dsn: str,
    pool: AsyncConnectionPool,
    keyring: Keyring,
    projection: Projection,
    report: Report,
    *,
    log: str = IDENTITY,
    declare: Declare | None = None,
    batch: int = BATCH,
    heartbeat: float = HEARTBEAT,
) -> None:
    """Rebuild one registered projection. The role of `owner_dsn` and of the pool owns the tables.

    `declare` is called when an inline projection is swapped in; after that, older processes may not append. A
    transaction applies `batch` events, extended to the end of an append; `heartbeat` is in seconds.
    """
    reader = LogReader(EventCodec(keyring), log)
    async with (
        await connect(owner_dsn, "public") as control,
        await connect(owner_dsn, f"{copies.COPY},public") as filler,
        record_heartbeat(pool, projection.name, heartbeat),
    ):
        if not await leases.take(control, [leases.rebuild_of(projection.name)]):
            raise RebuildRefusedError(f"{projection.name} is being rebuilt by another process")
        await _Rebuild(control, filler, reader, projection, log, report, declare, batch).run()


@dataclass
class _Rebuild:
    """One rebuild: `control` creates, locks and swaps tables; `filler` writes, with a search path that finds copies."""

    control: AsyncConnection
    filler: AsyncConnection
    reader: LogReader
    projection: Projection
    log: str
    report: Report
    declare: Declare | None
    batch: int

    def __post_init__(self) -> None:
        self._tables = self.projection.tables
        self._topics = topics_of(self.projection.events)
        self._position = 0
        self._reported = time.monotonic()

    async def run(self) -> None:
        try:
            definitions = await copies.definitions(self.control, self._tables)
        except copies.NotCopiableError as error:
            raise RebuildRefusedError(f"{self.projection.name}: {error}") from None
        began = time.monotonic()
        await self._begin(definitions)
        first = self._position
        await self._catch_up()
        await self._enter("completing")
        await copies.add_foreign_keys(self.control, definitions)
        await copies.analyze(self.control, self._tables)
        await self._enter("swapping")
        await drop_retired(self.control, self._tables)  # left by a rebuild that was killed just after its swap
        await self._swap()
        took = time.monotonic() - began
        rate = (self._position - first) / took
        self._say(f"swapped in at position {self._position:,} after {took:.1f} s, {rate:,.0f} events/s")

    async def _begin(self, definitions: copies.Definitions) -> None:
        """Continue with the copies of an interrupted rebuild if version and definitions are the same."""
        name, version = self.projection.name, self.projection.version
        cursor = await self.control.execute("SELECT version, shape, position FROM rebuilds WHERE name = %s", (name,))
        row = await cursor.fetchone()
        beginning = await self.reader.beginning(self.control)
        if (
            row is not None
            and row[:2] == (version, definitions.shape)
            and await copies.copies_exist(self.control, self._tables)
        ):
            self._position = row[2]
            self._say(f"resumed at position {self._position:,}")
            return
        async with self.control.transaction():
            await copies.make_copies(self.control, definitions)
            begin = {"name": name, "version": version, "shape": definitions.shape, "position": beginning}
            await self.control.execute(_BEGIN, begin)
        self._position = beginning

    async def _catch_up(self) -> None:
        """Fill the copies up to the head, again and again until few new events have arrived meanwhile."""
        analysis = max(FIRST_ANALYSIS, self._position * 10)
        began, first = time.monotonic(), self._position
        while (head := await self.reader.head(self.filler)) > self._position:
            left = head - self._position
            async with contextlib.aclosing(self._batches(head)) as batches:
                async for batch in batches:
                    await self._fill(batch, (self._position - first) / (time.monotonic() - began))
                    self._report_now_and_then(head, (self._position - first) / (time.monotonic() - began))
                    if self._position >= analysis:  # otherwise Postgres keeps the plans that it made for empty tables
                        await copies.analyze(self.control, self._tables)
                        analysis *= 10
            if left <= MAX_EVENTS_IN_SWAP:
                return

    async def _batches(self, head: int) -> AsyncGenerator[Batch]:
        """Yield batches up to the head; each is read and decoded while Postgres writes the previous one."""
        ahead = asyncio.create_task(self._read_some(self._position, head))
        try:
            while (batch := await ahead).upto < head:
                ahead = asyncio.create_task(self._read_some(batch.upto, head))
                yield batch
            yield batch
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _read_some(self, after: int, head: int) -> Batch:
        """Read `batch` events, extended to the end of the last append."""
        upto = head
        if after + self.batch < head:
            upto = await self.reader.end_of_append(self.control, after + self.batch)
        return await self._read(self.control, after, upto)

    async def _read(self, connection: AsyncConnection, after: int, upto: int) -> Batch:
        with self._blamed_on(after, upto):
            return await self.reader.read(connection, after, upto, self._topics)

    async def _fill(self, batch: Batch, rate: float | None = None) -> None:
        """Apply one batch and record the position of the copy."""
        with self._blamed_on(batch.after, batch.upto):
            await self._apply(batch, rate)
        self._position = batch.upto

    @contextlib.contextmanager
    def _blamed_on(self, after: int, upto: int) -> Iterator[None]:
        """Turn an error into a refusal that names the positions, unless the database is unavailable."""
        try:
            yield
        except (errors.OperationalError, RebuildRefusedError):
            raise
        except Exception as error:
            raise RebuildRefusedError(
                f"{self.projection.name} cannot apply positions {after + 1} to {upto}: {describe(error)}"
            ) from error

    async def _apply(self, batch: Batch, rate: float | None) -> None:
        move = {"name": self.projection.name, "after": batch.after, "upto": batch.upto, "rate": rate}
        async with self.filler.pipeline(), self.filler.transaction():
            if batch.events:
                cursor = self.filler.cursor()
                if isinstance(self.projection, InlineProjection):
                    await self.projection.apply(ExecuteOnlyCursor(cursor), batch.events)
                else:
                    await self.projection.apply(cursor, batch.events)
            moved = await self.filler.execute(_MOVE, move, prepare=True)  # last, because its lock blocks the heartbeat
            if await moved.fetchone() is None:
                raise RebuildRefusedError(f"{self.projection.name}: another process changed the copy")

    async def _swap(self) -> None:
        tries = 0
        while not await self._swapped(min(MAX_LOCK_WAIT, MIN_LOCK_WAIT + 20 * tries)):
            tries += 1
            if tries % 20 == 0:
                self._say("waiting until readers of the live tables end")
            await asyncio.sleep(min(1.0, 0.05 * tries))
            await self._catch_up()
        await drop_retired(self.control, self._tables)

    async def _swapped(self, patience: int) -> bool:
        """Try the swap once, waiting at most `patience` milliseconds for each lock; return whether it succeeded."""
        try:
            async with self.control.transaction():
                await self.control.execute(f"SET LOCAL lock_timeout = {patience}; SET LOCAL synchronous_commit = on")
                live = await lock_position(self.control, self.projection, self.log)
                if live > self._position + self.batch:
                    return False
                if live > self._position:
                    await self._fill(await self._read(self.filler, self._position, live))
                if await has_old_readers(self.control, self.filler):
                    return False
                await copies.swap(self.control, self._tables)
                if self.declare is not None and isinstance(self.projection, InlineProjection):
                    await self.declare(self.control)
                await self.control.execute(
                    _FINISH,
                    {"name": self.projection.name, "version": self.projection.version, "position": self._position},
                )
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            return False
        return True

    async def _enter(self, phase: str) -> None:
        await self.control.execute(
            "UPDATE rebuilds SET phase = %s, alive_at = now() WHERE name = %s", (phase, self.projection.name)
        )

    def _report_now_and_then(self, head: int, rate: float) -> None:
        if time.monotonic() - self._reported >= REPORT:
            self._reported = time.monotonic()
            done = f"{self._position:,} of {head:,} events ({self._position / head:.0%})"
            self._say(f"{done}, {rate:,.0f}/s, {(head - self._position) / rate:.0f} s left")

    def _say(self, text: str) -> None:
        self.report(f"{self.projection.name}: {text}")


_BEGIN = """
INSERT INTO rebuilds (name, version, shape, phase, position)
VALUES (%(name)s, %(version)s, %(shape)s, 'filling', %(position)s)
ON CONFLICT (name) DO UPDATE SET version = EXCLUDED.version, shape = EXCLUDED.shape, phase = EXCLUDED.phase,
    position = EXCLUDED.position, rate = NULL, started_at = now(), alive_at = now()
"""

_MOVE = """
UPDATE rebuilds SET position = %(upto)s, rate = coalesce(%(rate)s, rate), alive_at = now()
WHERE name = %(name)s AND position = %(after)s RETURNING position
"""

_FINISH = """
WITH gone AS (DELETE FROM rebuilds WHERE name = %(name)s),
done AS (
    UPDATE projections SET version = %(version)s, error = NULL, failed_position = NULL, failed_event = NULL,
        position = CASE mode WHEN 'inline' THEN position ELSE %(position)s END
    WHERE name = %(name)s RETURNING name, mode, position
)
SELECT pg_notify('rollbook_projected', name || ':' || position) FROM done WHERE mode = 'background'
"""
