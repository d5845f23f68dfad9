"""An event with its place in the log, as everything that follows the log receives it."""

from typing import NamedTuple
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate

Event = CanMutateAggregate[UUID]


class Recorded(NamedTuple):
    """Positions start at 1 and have no gaps."""

    position: int
    event: Event
