"""Everything that follows a log, where each stands, and the rows that show it: there from the first start on."""

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
LONGEST_PAUSE = 30.0  # seconds between tries of a failing event


def all_followers(log: str = IDENTITY) -> list[Projection]:
    """Return everything that follows the log by a position of its own."""
    return [*registry.background(log), *(reactions() if log == IDENTITY else [])]


async def register_all(connection: AsyncConnection, lookup: Lookup) -> None:
    """Make the rows that are missing."""
    for log in registry.LOGS:
        await replicators.register(connection, [*registry.inline(lookup, log), *all_followers(log)], log)


@dataclass
class Follower:
    """One projection, where it stands and how it fares.

    `limit` is `batch`, and shrinks to one append to find the one that fails.
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
        self._wanted: dict[type[Event], bool] = {}

    @property
    def name(self) -> str:
        return self.projection.name

    def share(self, batch: Batch) -> Batch:
        """Return the events of the batch that this projection reads."""
        kinds = self.projection.events
        if kinds is None:
            return batch
        known = self._wanted
        wanted = []
        for recorded in batch.events:
            kind = type(recorded.event)
            if kind not in known:
                known[kind] = issubclass(kind, kinds)
            if known[kind]:
                wanted.append(recorded)
        return Batch(batch.after, batch.upto, wanted)

    def stand_at(self, position: int) -> None:
        """Go on from here, as if nothing had ever failed."""
        self.position, self.limit, self.failures, self.retry_at, self.error = position, self.batch, 0, 0.0, None

    def went_well(self, position: int) -> None:
        """Applied up to here."""
        if position >= self.suspect:
            self.stand_at(position)
        self.position = position

    def narrow(self, upto: int) -> None:
        """Halve the next batch after a failure up to here, rounded up to the end of an append."""
        self.suspect = upto
        self.limit = max(1, min(self.limit, upto - self.position) // 2)

    def failed(self, upto: int, error: Exception) -> None:
        """The next append, which ends here, fails: try it again later, and later each time."""
        self.suspect, self.limit, self.error = upto, 1, error
        self.retry_at = time.monotonic() + min(LONGEST_PAUSE, 2.0**self.failures)
        self.failures += 1
