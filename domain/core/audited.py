"""Who, on whose behalf, in which session and because of what: on every event."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from uuid import UUID

from eventsourcing.domain import Aggregate, CanMutateAggregate


@dataclass(frozen=True)
class AuditContext:
    """The circumstances of a command.

    `actor` is the user's id, None for the system itself; `impersonator` the staff member behind it, if any;
    `session` and `organization` those of the session; `correlation` the request id; `causation` the position
    of the event that a reaction answers.
    """

    actor: UUID | None = None
    impersonator: UUID | None = None
    session: UUID | None = None
    organization: UUID | None = None
    correlation: str | None = None
    causation: int | None = None


AUDIT_CONTEXT: ContextVar[AuditContext] = ContextVar("acting", default=AuditContext())  # noqa: B039 - frozen


@contextmanager
def audited_as(circumstances: AuditContext) -> Iterator[None]:
    """Everything decided inside happens under these circumstances."""
    token = AUDIT_CONTEXT.set(circumstances)
    try:
        yield
    finally:
        AUDIT_CONTEXT.reset(token)


class Audited(Aggregate):
    """Base of all aggregates: each event carries `by`. Attributes are annotated in the class, for snapshots."""

    SNAPSHOT_EVERY: ClassVar[int | None] = 100

    @staticmethod
    def stream_of(aggregate_id: UUID) -> UUID:
        """The stream of the aggregate's events: its id, unless clients choose the ids and may choose a taken one."""
        return aggregate_id

    class Event(Aggregate.Event):
        """`NAMED_BY` is the field with the aggregate's id, where `stream_of` makes another one of it."""

        NAMED_BY: ClassVar[str | None] = None
        by: AuditContext

        @staticmethod
        def stream_of(aggregate_id: UUID) -> UUID:
            return aggregate_id

    class Created(Event, Aggregate.Created):
        pass

    def trigger_event(self, event_class: type[CanMutateAggregate[UUID]], **kwargs: Any) -> None:
        super().trigger_event(event_class, by=AUDIT_CONTEXT.get(), **kwargs)

    @classmethod
    def _create(cls, event_class: Any, **kwargs: Any) -> Self:
        return super()._create(event_class, by=AUDIT_CONTEXT.get(), **kwargs)
