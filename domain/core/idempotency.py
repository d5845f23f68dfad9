"""What is known of the command that is being carried out: its Idempotency-Key, and what the store has recorded of it.

The edge opens a recording around each command. The store writes the request's key and the result's id beside the
events, in one transaction, and notes in the recording what was appended where, once that is committed.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from domain.core.recorded import Event


@dataclass(frozen=True)
class IdempotentRequest:
    """`key` and `fingerprint` as adapters/log/idempotency_store.py makes them from what the client sent."""

    user_id: UUID
    key: str
    fingerprint: bytes
    status: int = 201


@dataclass
class Recording:
    """One command, on its way or recorded.

    `request` is None without an Idempotency-Key. `resource_id` names what the command is about, or what it made.
    `position` is where it was recorded (of a command without events, the head it was decided on), None until then.
    `recorded_at` and `kinds` are the time and the classes of its events. `repeated` tells whether an earlier request
    with the same key recorded it. `carried_out` tells that only its answer is still to be made.
    """

    request: IdempotentRequest | None = None
    resource_id: str | None = None
    position: int | None = None
    recorded_at: datetime | None = None
    kinds: set[type[Event]] = field(default_factory=set)
    repeated: bool = False
    carried_out: bool = False

    def recall(self, status: int, resource_id: str | None, position: int) -> None:
        """An earlier request with the same key was recorded so."""
        assert self.request is not None
        self.request = replace(self.request, status=status)
        self.resource_id, self.position, self.repeated = resource_id, position, True

    def note(self, position: int, events: Iterable[Event] = ()) -> None:
        """These events are committed, the last of them at the position."""
        self.position = position
        for event in events:
            self.recorded_at = vars(event)["timestamp"]
            self.kinds.add(type(event))


_CURRENT: ContextVar[Recording | None] = ContextVar("recording", default=None)


def current_recording() -> Recording | None:
    """The recording of the command inside which this runs; None outside a command of the edge."""
    return _CURRENT.get()


@contextmanager
def recording(opened: Recording) -> Iterator[Recording]:
    """Everything appended inside belongs to this command."""
    token = _CURRENT.set(opened)
    try:
        yield opened
    finally:
        _CURRENT.reset(token)
