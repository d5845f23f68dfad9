"""Rosters: who leads, belongs to or is cared for by a group.

Each (group, kind, subject) is a small stream of its own, so that adding one person to a roster of 100,000 costs
what it costs on an empty one.
"""

from typing import Literal
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited

RosterKind = Literal["individual", "leader", "member"]


def seat_id(group_id: UUID, kind: RosterKind, subject_id: UUID) -> UUID:
    """The stream of one person's place in one roster."""
    return uuid5(group_id, f"{kind}:{subject_id}")


class Seat(Audited):
    """One person's place in one roster of one group. `subject_id` is an individual's or a user's id."""

    TOPIC = "seat"
    SNAPSHOT_EVERY = None

    group_id: UUID
    organization_id: UUID
    kind: RosterKind
    subject_id: UUID
    taken: bool

    class Created(Audited.Created):
        TOPIC = "seat.taken"
        group_id: UUID
        organization_id: UUID
        kind: RosterKind
        subject_id: UUID

    class Left(Audited.Event):
        TOPIC = "seat.left"
        group_id: UUID
        organization_id: UUID
        kind: RosterKind
        subject_id: UUID

    class TakenAgain(Audited.Event):
        TOPIC = "seat.taken-again"
        group_id: UUID
        organization_id: UUID
        kind: RosterKind
        subject_id: UUID

    @event(Created)
    def __init__(self, group_id: UUID, organization_id: UUID, kind: RosterKind, subject_id: UUID) -> None:
        self.group_id = group_id
        self.organization_id = organization_id
        self.kind = kind
        self.subject_id = subject_id
        self.taken = True

    @classmethod
    def take(cls, group_id: UUID, organization_id: UUID, kind: RosterKind, subject_id: UUID) -> "Seat":
        """A seat nobody has ever held, taken."""
        return cls._create(
            cls.Created,
            id=seat_id(group_id, kind, subject_id),
            group_id=group_id,
            organization_id=organization_id,
            kind=kind,
            subject_id=subject_id,
        )

    def take_again(self) -> None:
        if not self.taken:
            self._taken_again(self.group_id, self.organization_id, self.kind, self.subject_id)

    def leave(self) -> None:
        if self.taken:
            self._left(self.group_id, self.organization_id, self.kind, self.subject_id)

    @event(Left)
    def _left(self, group_id: UUID, organization_id: UUID, kind: RosterKind, subject_id: UUID) -> None:  # noqa: ARG002
        self.taken = False

    @event(TakenAgain)
    def _taken_again(self, group_id: UUID, organization_id: UUID, kind: RosterKind, subject_id: UUID) -> None:  # noqa: ARG002
        self.taken = True
