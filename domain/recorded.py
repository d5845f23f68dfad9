"""An event with its place in the log, as everything that follows the log receives it."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate

Event = CanMutateAggregate[UUID]


class Recorded(NamedTuple):
    """Positions start at 1 and have no gaps. The event's `timestamp` is when it was recorded: it grows with them."""

    position: int
    event: Event


def stamp(event: Event, recorded_at: datetime) -> None:
    """Let the event's `timestamp` be the time of its append instead of the time of the decision.

    Clients sync by the times that read models make of it, and clocks of processes differ.
    """
    vars(event)["timestamp"] = recorded_at
