"""The audit context on every event: who caused it, on whose behalf, in which session and because of what."""

from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self
from uuid import UUID

from eventsourcing.domain import Aggregate, CanMutateAggregate

from domain.core.context import bound


@dataclass(frozen=True)
class AuditContext:
    """Who causes the events of a command, and why.

    `actor` is the id of the user, None for the service itself. `impersonator` is the staff member who acts as the user,
    if any. `session` and `organization` are the ids of the session and of its current organization. `correlation` is
    the request id. `causation` is the position of the event that a reaction responds to.
    """

    actor: UUID | None = None
    impersonator: UUID | None = None
    session: UUID | None = None
    organization: UUID | None = None
    correlation: str | None = None
    causation: int | None = None


AUDIT_CONTEXT: ContextVar[AuditContext] = ContextVar("acting", default=AuditContext())  # noqa: B039 - frozen


def audited_as(context: AuditContext) -> AbstractContextManager[AuditContext]:
    """Give the events that are triggered inside this audit context."""
    return bound(AUDIT_CONTEXT, context)


def caused_by(user_id: UUID, session_id: UUID | None = None) -> AbstractContextManager[AuditContext]:
    """Make the user the actor of the events, for a request that has no principal yet."""
    return audited_as(replace(AUDIT_CONTEXT.get(), actor=user_id, session=session_id))


class Audited(Aggregate):
    """Base of all aggregates. Each event has the audit context in `by`. Snapshots store the annotated attributes."""

    SNAPSHOT_EVERY: ClassVar[int | None] = 100

    @staticmethod
    def stream_of(aggregate_id: UUID) -> UUID:
        """Return the id of the aggregate's stream: its own id, unless clients choose ids, which might then collide."""
        return aggregate_id

    class Event(Aggregate.Event):
        """Base of all events. `NAMED_BY` is the field with the aggregate's id, if `stream_of` returns another id."""

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
