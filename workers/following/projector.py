"""Applies batches of the log to projections and reactions and moves their positions, both in one transaction."""

import time
from collections.abc import Collection, Sequence

import structlog
from psycopg import AsyncConnection

from adapters.log.reader import Batch, LogGapError, LogReader
from projections.core import replicators
from projections.core.projection import Projection
from workers.following import leases
from workers.following.failures import describe
from workers.following.followers import BATCH, Follower

FROZEN_CHECK = 4.0  # seconds between two searches for frozen lease holders

_log = structlog.get_logger(__name__)


class NotCaughtUpError(Exception):
    """A follower fails, or another worker holds its lease; the text says which."""


class _MovedError(Exception):
    """The stored position is not the one we know: a rebuilt copy was swapped in, or another worker moved it."""


class Projector:
    """Runs the followers whose leases it holds, on one connection. For the others it is a standby."""

    def __init__(
        self, connection: AsyncConnection, reader: LogReader, projections: Sequence[Projection], batch: int = BATCH
    ) -> None:
        """One transaction applies `batch` events, extended to the end of an append."""
        self._connection = connection
        self._reader = reader
        self._standby = {projection.name: Follower(projection, batch=batch) for projection in projections}
        self._leading: dict[str, Follower] = {}
        self._announced = 0
        self._frozen_checked = time.monotonic()

    async def take_leases(self) -> None:
        """Take the free leases of followers whose tables have the version of this code."""
        if not self._standby:
            return
        taken = await leases.take(self._connection, self._standby)
        await self._end_frozen(self._standby.keys() - taken)
        progress = await replicators.progress_of(self._connection, list(taken))
        for name in taken:
            follower = self._standby[name]
            if progress[name].version == follower.projection.version:
                follower.start_at(progress[name].position)
                self._leading[name] = self._standby.pop(name)
                _log.info("lease-taken", projection=name, position=follower.position)
            else:
                await self._release(follower, progress[name].version)

    async def _end_frozen(self, held: Collection[str]) -> None:
        now = time.monotonic()
        if held and now - self._frozen_checked > FROZEN_CHECK:
            self._frozen_checked = now
            await leases.end_frozen(self._connection, held)

    async def record_polls(self) -> None:
        """Record the time as the `last-poll-time` of all followers that run here."""
        if self._leading:
            await replicators.record_polls(self._connection, list(self._leading))

    def announce(self, position: int) -> None:
        """Note that the log has reached this position, so that the next step need not query the head."""
        self._announced = max(self._announced, position)

    async def step(self) -> bool:
        """Apply one batch to each follower that lags; return whether any still lags."""
        head = self._announced if self._behind(self._announced) else await self._reader.head(self._connection)
        for followers in self._behind(head):
            first = followers[0]
            upto = first.position + first.limit
            end = await self._reader.end_of_append(self._connection, upto) if upto < head else head
            await self._advance(followers, end)
        return bool(self._behind(max(head, self._announced)))

    async def catch_up(self) -> None:
        """Apply all pending events. Raises NotCaughtUpError when another worker holds a lease or an event fails."""
        await self.take_leases()
        if self._standby:
            raise NotCaughtUpError(f"run by another worker, or of another version: {', '.join(self._standby)}")
        while await self.step():
            pass
        for follower in self._leading.values():
            if follower.failures:
                raise NotCaughtUpError(f"{follower.name} fails at position {follower.position + 1}") from follower.error

    def _behind(self, head: int) -> list[list[Follower]]:
        """Return the followers that lag, grouped by position: each group shares the batch that is read."""
        now = time.monotonic()
        groups: dict[tuple[int, int], list[Follower]] = {}
        for follower in self._leading.values():
            if follower.position < head and follower.retry_at <= now:
                groups.setdefault((follower.position, follower.limit), []).append(follower)
        return list(groups.values())

    async def _advance(self, followers: list[Follower], upto: int) -> None:
        try:
            batch = await self._reader.read(self._connection, followers[0].position, upto, _topics(followers))
            await self._apply(followers, batch)
        except _MovedError:
            await self._reload_positions(followers)
        except Exception as error:
            if self._connection.broken or self._connection.closed:
                raise
            if len(followers) == 1:
                if not await self._was_moved(followers[0]):
                    await self._failed(followers[0], upto, error)
                return
            for follower in followers:  # one by one, so that a failure stops only the follower that fails
                await self._advance([follower], upto)

    async def _apply(self, followers: list[Follower], batch: Batch) -> None:
        """Write rows and positions in one transaction, which locks the positions so that no copy is swapped in."""
        move = {
            "names": [follower.name for follower in followers],
            "versions": [follower.projection.version for follower in followers],
            "after": batch.after,
            "upto": batch.upto,
        }
        async with self._connection.pipeline(), self._connection.transaction():
            moved = await self._connection.execute(_MOVE, move, prepare=True)
            for follower in followers:
                share = follower.share(batch)
                if share.events:
                    await follower.projection.apply(self._connection.cursor(), share.events)
            if (await moved.fetchone() or (0,))[0] != len(followers):
                raise _MovedError
        for follower in followers:
            if follower.failures:
                _log.info("projection-recovered", projection=follower.name, position=batch.upto)
            follower.succeeded(batch.upto)

    async def _failed(self, follower: Follower, upto: int, error: Exception) -> None:
        if upto > await self._reader.end_of_append(self._connection, follower.position + 1):
            follower.narrow(upto)
            return
        follower.failed(upto, error)
        position, error = await self._find_failing(follower, upto, error)
        event = await self._reader.event_at(self._connection, position)
        described = describe(error)
        await replicators.record_failure(self._connection, follower.name, described, position, event)
        _log.error("projection-failed", projection=follower.name, position=position, stream=event, error=described)

    async def _find_failing(self, follower: Follower, upto: int, error: Exception) -> tuple[int, Exception]:
        """Return the position of the event that fails, found by bisection, and its error."""
        if isinstance(error, LogGapError):
            return error.position, error
        good, bad = follower.position, upto
        error = await self._failure(follower, upto) or error
        while bad - good > 1:
            middle = (good + bad) // 2
            failure = await self._failure(follower, middle)
            if failure is None:
                good = middle
            else:
                bad, error = middle, failure
        return bad, error

    async def _failure(self, follower: Follower, upto: int) -> Exception | None:
        """Apply the events up to `upto`, roll back, and return the error, if any.

        It uses no pipeline, so that the statement that fails raises the error and its place in the code is known.
        """
        try:
            batch = await self._reader.read(self._connection, follower.position, upto, follower.topics)
            async with self._connection.transaction(force_rollback=True):
                await follower.projection.apply(self._connection.cursor(), batch.events)
        except Exception as error:
            if self._connection.broken or self._connection.closed:
                raise
            return error
        return None

    async def _was_moved(self, follower: Follower) -> bool:
        """Return whether the stored position or version changed, which explains a failure; then reload both."""
        reached = (await replicators.progress_of(self._connection, [follower.name]))[follower.name]
        if reached == (follower.position, follower.projection.version):
            return False
        await self._reload_positions([follower])
        return True

    async def _reload_positions(self, followers: list[Follower]) -> None:
        progress = await replicators.progress_of(self._connection, [follower.name for follower in followers])
        for follower in followers:
            reached = progress[follower.name]
            if reached.version == follower.projection.version:
                follower.start_at(reached.position)
            else:
                del self._leading[follower.name]
                self._standby[follower.name] = follower
                await self._release(follower, reached.version)

    async def _release(self, follower: Follower, version: int) -> None:
        await leases.release(self._connection, [follower.name])
        if version < follower.projection.version:
            error = f"built by version {version}, the code is version {follower.projection.version}: rebuild it"
            await replicators.record_failure(self._connection, follower.name, error)


def _topics(followers: Sequence[Follower]) -> list[str] | None:
    topics: set[str] = set()
    for follower in followers:
        if follower.topics is None:
            return None
        topics.update(follower.topics)
    return sorted(topics)


# The notification goes out with the commit. Its lock costs nothing here, because these commits do not wait for the
# disk. The log's writer, which the lock would hold up, sends its notification outside the transaction.
_MOVE = """
WITH moved AS (
    UPDATE projections SET position = %(upto)s, last_poll_at = now(), error = NULL, failed_position = NULL,
           failed_event = NULL
    WHERE (name, version) IN (SELECT * FROM unnest(%(names)s::text[], %(versions)s::integer[]))
        AND position = %(after)s
    RETURNING name
)
SELECT count(*), pg_notify('rollbook_projected', string_agg(name, ',' ORDER BY name) || ':' || %(upto)s::bigint)
FROM moved
"""
