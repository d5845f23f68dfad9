"""Recorded events: events with their positions, as followers of the log receive them."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate
from eventsourcing.utils import get_topic

Event = CanMutateAggregate[UUID]


class Recorded(NamedTuple):
    """An event and its position.

    Positions start at 1 and have no gaps. The event's `timestamp` is the time of its append and grows with positions.
    """

    position: int
    event: Event


def stamp(event: Event, recorded_at: datetime) -> None:
    """Set the event's `timestamp` to the time of its append, in place of the time of the decision.

    Clients synchronize by the times that read models derive from it, and the clocks of processes differ.
    """
    vars(event)["timestamp"] = recorded_at


def topics_of(kinds: Iterable[type[Event]] | None) -> list[str] | None:
    """Return the topics of these event classes and their subclasses; None for None, that is, for all events."""
    if kinds is None:
        return None
    return sorted({get_topic(kind) for kind in families_of(kinds)})


def families_of(kinds: Iterable[type[Event]]) -> Iterator[type[Event]]:
    """Yield these classes and all their subclasses."""
    for kind in kinds:
        yield kind
        yield from families_of(kind.__subclasses__())
