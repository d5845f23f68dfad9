"""Pending appends, and the choice of those that one batch can hold."""

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
"""An append with more is written alone: so it holds up nobody who could have been written before it, and what it takes
away need not be compared with what its neighbours rest on."""

TICK = timedelta(microseconds=1)
"""Between two events of a batch, as in `append_sql.APPEND`."""


class Rights(Protocol):
    """Whether the rights that decisions rest on are still there: see `projections.access.rights`."""

    def losses(self, events: Sequence[Event]) -> Losses:
        """Return the losses caused by events that are not in the tables yet."""
        ...

    async def ask(self, cursor: AsyncCursor, decisions: Sequence[Decision]) -> None:
        """Ask which decisions something was taken from since, without waiting for the answer."""
        ...

    async def ended(self, cursor: AsyncCursor, decisions: Sequence[Decision]) -> list[Decision]:
        """Those that have lost a right; `cursor` is the one that asked."""
        ...


@dataclass(eq=False)
class Append:
    """One command's events on their way into the log: as they are, as rows, and as these are `encoded`.

    `outcome` is the position of the last of them; `id` tells their rows from a rival's; `unchanged` are the streams
    that the decision rests on, and where it saw them end. `resource_id` is remembered with the `request`.
    """

    id: UUID
    events: Sequence[Event]
    rows: Sequence[StoredEvent]
    encoded: Sequence[EncodedRow]
    unchanged: Sequence[tuple[UUID, int]]
    request: IdempotentRequest | None
    resource_id: str | None = None
    decision: Decision | None = None
    since: float = field(default_factory=monotonic)
    outcome: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    written: frozenset[UUID] = field(init=False)
    """The streams that it adds events to."""
    streams: frozenset[UUID] = field(init=False)
    """Those, and the ones that its decision rests on."""

    def __post_init__(self) -> None:
        self.written = frozenset([cast("UUID", row.originator_id) for row in self.rows])
        self.streams = self.written.union([stream for stream, _ in self.unchanged]) if self.unchanged else self.written

    @property
    def places(self) -> list[tuple[UUID, int]]:
        """Streams and versions that its events are to have; a stream's id may be another one than the aggregate's."""
        return [(cast("UUID", row.originator_id), row.originator_version) for row in self.rows]

    def succeed(self, position: int) -> None:
        """Unless the caller has gone."""
        if not self.outcome.done():
            self.outcome.set_result(position)

    def fail(self, error: BaseException) -> None:
        """Unless the caller has gone."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


async def stamp_in_turns(events: Iterable[Event], at: datetime) -> None:
    """Give the events the times of their rows, which are from `at` on."""
    async for some in InTurns(events):
        for event in some:
            stamp(event, at)
            at += TICK


class AppendsRefusedError(Exception):
    """Nothing of a batch was written, because of these; the others can be written at once."""

    def __init__(self, refusals: dict[Append, DomainError]) -> None:
        super().__init__()
        self.refusals = refusals


def take_batch(waiting: deque[Append], rights: Rights | None) -> list[Append]:
    """Take the waiting appends that can be written together.

    The database judges a batch by the state before it. So an append waits for the next batch, in front, while one
    before it writes to a stream that it writes to or rests on, or may end a right of its caller.
    """
    batch, left = list[Append](), list[Append]()
    written, lost, events = set[UUID](), _LostRights(rights), 0
    while waiting and len(batch) < MAX_BATCH:
        events += len(waiting[0].events)
        if batch and events > MAX_BATCH_EVENTS:
            break
        append = waiting.popleft()
        fits = written.isdisjoint(append.streams) and not lost.concern(append)
        (batch if fits else left).append(append)
        written.update(append.written)
        lost.add(append)
    waiting.extendleft(reversed(left))
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
            losses = self._rights.losses([event for each in unread for event in each.events])
            self._subjects |= losses.subjects
            self._any_right |= losses.any_right
        if self._any_right or not self._subjects:
            return self._any_right
        return not self._subjects.isdisjoint(append.decision.subjects())
