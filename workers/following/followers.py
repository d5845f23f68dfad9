"""The followers of a log (background projections and reactions), their positions, and their rows in `projections`."""

import time
from dataclasses import dataclass, field

from psycopg import AsyncConnection

from adapters.log.reader import Batch
from domain.core.logs import IDENTITY
from domain.core.ports import Lookup
from domain.core.recorded import Event, topics_of
from projections import registry
from projections.core import replicators
from projections.core.projection import Projection
from workers.following.reactions import reactions

BATCH = 1000
MAX_PAUSE = 30.0  # seconds between two attempts at a failing event


def all_followers(log: str = IDENTITY) -> list[Projection]:
    """Return all projections and reactions that follow the log with a position of their own."""
    return [*registry.background(log), *(reactions() if log == IDENTITY else [])]


async def register_all(connection: AsyncConnection, lookup: Lookup) -> None:
    """Insert the missing rows of all followers and inline projections of all logs."""
    for log in registry.LOGS:
        await replicators.register(connection, [*registry.inline(lookup, log), *all_followers(log)], log)


@dataclass
class Follower:
    """One projection with its position and failures.

    `limit` is the size of the next batch: `batch`, or less while a failing append is sought.
    """

    projection: Projection
    position: int = 0
    batch: int = BATCH  # events
    limit: int = field(init=False)
    suspect: int = 0  # the failing event is at or before this position
    failures: int = 0
    retry_at: float = 0.0
    error: Exception | None = None
    topics: list[str] | None = field(init=False)

    def __post_init__(self) -> None:
        self.limit = self.batch
        self.topics = topics_of(self.projection.events)
        self._is_read: dict[type[Event], bool] = {}

    @property
    def name(self) -> str:
        return self.projection.name

    def share(self, batch: Batch) -> Batch:
        """Return the part of the batch that this projection reads."""
        kinds = self.projection.events
        if kinds is None:
            return batch
        is_read = self._is_read
        events = []
        for recorded in batch.events:
            kind = type(recorded.event)
            if kind not in is_read:
                is_read[kind] = issubclass(kind, kinds)
            if is_read[kind]:
                events.append(recorded)
        return Batch(batch.after, batch.upto, events)

    def start_at(self, position: int) -> None:
        """Continue after this position, with a full batch and no failures."""
        self.position, self.limit, self.failures, self.retry_at, self.error = position, self.batch, 0, 0.0, None

    def succeeded(self, position: int) -> None:
        """Record that the events up to this position are applied."""
        if position >= self.suspect:
            self.start_at(position)
        self.position = position

    def narrow(self, upto: int) -> None:
        """Halve the next batch, because the batch up to `upto` failed. It still ends at the end of an append."""
        self.suspect = upto
        self.limit = max(1, min(self.limit, upto - self.position) // 2)

    def failed(self, upto: int, error: Exception) -> None:
        """Record that the next append, which ends at `upto`, fails, and retry it with back-off."""
        self.suspect, self.limit, self.error = upto, 1, error
        self.retry_at = time.monotonic() + min(MAX_PAUSE, 2.0**self.failures)
        self.failures += 1
