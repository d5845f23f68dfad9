"""The recording of a running command: its Idempotency-Key, and what the store has recorded of it.

The edge opens a recording around each command. The store writes the key of the request and the id of the result in the
transaction of the events. After the commit, it notes the events and their position in the recording.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from domain.core.context import bound
from domain.core.recorded import Event


@dataclass(frozen=True)
class IdempotentRequest:
    """A request with an Idempotency-Key. adapters/log/idempotency_store.py derives `key` and `fingerprint` from it."""

    user_id: UUID
    key: str
    fingerprint: bytes
    status: int = 201


@dataclass
class Recording:
    """One command, running or recorded.

    `request` is None without an Idempotency-Key. `resource_id` is the id of the resource that the command is about or
    created, and `named` tells that the request itself names it. `position` is the position of its last event (without
    events, the head on which it was decided); None before the commit. `recorded_at` and `kinds` are the time and the
    classes of its events. `repeated` is true if an earlier request with the same key recorded it. `carried_out` is true
    when only the answer is missing. `awaited` is false if the answer does not wait for read models.
    """

    request: IdempotentRequest | None = None
    resource_id: str | None = None
    position: int | None = None
    recorded_at: datetime | None = None
    kinds: set[type[Event]] = field(default_factory=set)
    repeated: bool = False
    carried_out: bool = False
    awaited: bool = True
    named: bool = False

    @property
    def committed(self) -> bool:
        """Return whether the command is recorded; one that only asked for the head of the log so far is not."""
        return self.position is not None and (bool(self.kinds) or self.repeated or self.carried_out)

    def recall(self, status: int, resource_id: str | None, position: int) -> None:
        """Take over the result that an earlier request with the same key recorded."""
        assert self.request is not None
        self.request = replace(self.request, status=status)
        self.resource_id, self.position, self.repeated = resource_id, position, True

    def note(self, position: int, events: Iterable[Event] = ()) -> None:
        """Note that these events are committed, the last of them at the position."""
        self.position = position
        for event in events:
            self.recorded_at = vars(event)["timestamp"]
            self.kinds.add(type(event))


_CURRENT: ContextVar[Recording | None] = ContextVar("recording", default=None)


def current_recording() -> Recording | None:
    """Return the recording of the present command; None outside a command of the edge."""
    return _CURRENT.get()


def recording(opened: Recording) -> AbstractContextManager[Recording]:
    """Let everything that is appended inside belong to this recording."""
    return bound(_CURRENT, opened)
