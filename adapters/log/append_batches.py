"""Pending appends, and the choice of appends for a batch."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol, cast
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import AsyncCursor

from adapters.log.append_columns import EncodedRow
from domain.core.decisions import Decision, Losses
from domain.core.errors import DomainError
from domain.core.idempotency import IdempotentRequest
from domain.core.recorded import Event, stamp
from domain.core.turns import InTurns

MAX_BATCH = 500
MAX_BATCH_EVENTS = 1_000
"""An append with more events is written alone. So small appends do not wait for it, and the rights that it removes need
not be compared with the decisions of others in its batch."""

TICK = timedelta(microseconds=1)
"""The time between two events of a batch, as in `append_sql.APPEND`."""


class Rights(Protocol):
    """Checks whether decisions still have the rights that they rely on: see `projections.access.rights`."""

    def losses(self, events: Sequence[Event]) -> Losses:
        """Return the losses caused by events that are not in the tables yet."""
        ...

    async def ask(self, cursor: AsyncCursor, decisions: Sequence[Decision]) -> None:
        """Send the query for decisions whose users have lost a right since, without waiting for the answer."""
        ...

    async def ended(self, cursor: AsyncCursor, decisions: Sequence[Decision]) -> list[Decision]:
        """Return the decisions that have lost a right that they rely on; `cursor` is the one of `ask`."""
        ...


@dataclass(eq=False)
class Append:
    """One command's events to append, also as rows, and as `encoded` rows.

    `outcome` is the position of the last event. `id` tells its rows from those of another append. `unchanged` are the
    streams that the decision relies on, with the versions that it saw. `resource_id` is stored with the `request`.
    `awaited` is false if the caller does not wait until read models show the events.
    """

    id: UUID
    events: Sequence[Event]
    rows: Sequence[StoredEvent]
    encoded: Sequence[EncodedRow]
    unchanged: Sequence[tuple[UUID, int]]
    request: IdempotentRequest | None
    resource_id: str | None = None
    decision: Decision | None = None
    awaited: bool = True
    since: float = field(default_factory=monotonic)
    outcome: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    written: frozenset[UUID] = field(init=False)
    """The streams to which it adds events."""
    streams: frozenset[UUID] = field(init=False)
    """The streams to which it adds events, and those that its decision relies on."""

    def __post_init__(self) -> None:
        self.written = frozenset([cast("UUID", row.originator_id) for row in self.rows])
        self.streams = self.written.union([stream for stream, _ in self.unchanged]) if self.unchanged else self.written

    @property
    def stream_versions(self) -> list[tuple[UUID, int]]:
        """The streams and versions of its events. The id of a stream may differ from that of its aggregate."""
        return [(cast("UUID", row.originator_id), row.originator_version) for row in self.rows]

    def succeed(self, position: int) -> None:
        """Set the outcome, unless the caller was cancelled."""
        if not self.outcome.done():
            self.outcome.set_result(position)

    def fail(self, error: BaseException) -> None:
        """Set an error as the outcome, unless the caller was cancelled."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


async def stamp_in_turns(events: Iterable[Event], at: datetime) -> None:
    """Give the events the times of their rows; `at` is that of the first one."""
    async for batch in InTurns(events):
        for event in batch:
            stamp(event, at)
            at += TICK


class AppendsRefusedError(Exception):
    """A batch was not written because of the appends in `refusals`; the other appends can be written at once."""

    def __init__(self, refusals: dict[Append, DomainError]) -> None:
        super().__init__()
        self.refusals = refusals


def take_batch(waiting: deque[Append], rights: Rights | None) -> list[Append]:
    """Remove the waiting appends that can be written together from the queue, and return them.

    The database judges a batch by the state before it. So an append waits for the next batch if an append before it
    writes to a stream that it writes to or relies on, or may remove a right of its caller.
    """
    batch, deferred = list[Append](), list[Append]()
    written, lost, events = set[UUID](), _LostRights(rights), 0
    while waiting and len(batch) < MAX_BATCH:
        events += len(waiting[0].events)
        if batch and events > MAX_BATCH_EVENTS:
            break
        append = waiting.popleft()
        fits = written.isdisjoint(append.streams) and not lost.concern(append)
        (batch if fits else deferred).append(append)
        written.update(append.written)
        lost.add(append)
    waiting.extendleft(reversed(deferred))
    return batch


class _LostRights:
    """The rights that the appends of a batch remove, computed only when a decision is compared with them."""

    def __init__(self, rights: Rights | None) -> None:
        self._rights = rights
        self._unread: list[Append] = []
        self._subjects: set[UUID] = set()
        self._any_right = False
        self._added = False

    def add(self, append: Append) -> None:
        self._unread.append(append)
        self._added = True

    def concern(self, append: Append) -> bool:
        if append.decision is None or self._rights is None:
            return False
        if append.decision.always_rechecked:
            return self._added
        unread, self._unread = self._unread, []
        if unread:
            losses = self._rights.losses([event for earlier in unread for event in earlier.events])
            self._subjects |= losses.subjects
            self._any_right |= losses.any_right
        if self._any_right or not self._subjects:
            return self._any_right
        return not self._subjects.isdisjoint(append.decision.subjects())
