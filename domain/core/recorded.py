"""An event with its place in the log, as everything that follows the log receives it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate
from eventsourcing.utils import get_topic

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


def topics_of(kinds: Iterable[type[Event]] | None) -> list[str] | None:
    """The topics under which events of these classes, or of classes derived from them, stand in the log."""
    if kinds is None:
        return None
    return sorted({get_topic(each) for each in families_of(kinds)})


def families_of(kinds: Iterable[type[Event]]) -> Iterator[type[Event]]:
    """These classes and all that are derived from them."""
    for kind in kinds:
        yield kind
        yield from families_of(kind.__subclasses__())
