"""Rosters: who leads, belongs to or is cared for by a group.

Each (group, kind, subject) is a small stream of its own, so that adding one person to a roster of 100,000 costs
what it costs on an empty one.
"""

from typing import Literal
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited

RosterKind = Literal["individual", "leader", "member"]


def roster_entry_id(group_id: UUID, kind: RosterKind, subject_id: UUID) -> UUID:
    """The stream of one person's place in one roster."""
    return uuid5(group_id, f"{kind}:{subject_id}")


class RosterEntry(Audited):
    """One person's place in one roster of one group. `subject_id` is an individual's or a user's id."""

    TOPIC = "entry"
    SNAPSHOT_EVERY = None

    group_id: UUID
    organization_id: UUID
    kind: RosterKind
    subject_id: UUID
    present: bool = True

    class Created(Audited.Created):
        TOPIC = "roster-entry.added"
        group_id: UUID
        organization_id: UUID
        kind: RosterKind
        subject_id: UUID

    class Removed(Audited.Event):
        TOPIC = "roster-entry.removed"
        group_id: UUID
        organization_id: UUID
        kind: RosterKind
        subject_id: UUID

    class AddedAgain(Audited.Event):
        TOPIC = "roster-entry.added-again"
        group_id: UUID
        organization_id: UUID
        kind: RosterKind
        subject_id: UUID

    @classmethod
    def add(cls, group_id: UUID, organization_id: UUID, kind: RosterKind, subject_id: UUID) -> "RosterEntry":
        """Return a new entry."""
        return cls._create(
            cls.Created,
            id=roster_entry_id(group_id, kind, subject_id),
            group_id=group_id,
            organization_id=organization_id,
            kind=kind,
            subject_id=subject_id,
        )

    def add_again(self) -> None:
        if not self.present:
            self._added_again(self.group_id, self.organization_id, self.kind, self.subject_id)

    def remove(self) -> None:
        if self.present:
            self._removed(self.group_id, self.organization_id, self.kind, self.subject_id)

    @event(Removed)
    def _removed(self, group_id: UUID, organization_id: UUID, kind: RosterKind, subject_id: UUID) -> None:  # noqa: ARG002
        self.present = False

    @event(AddedAgain)
    def _added_again(self, group_id: UUID, organization_id: UUID, kind: RosterKind, subject_id: UUID) -> None:  # noqa: ARG002
        self.present = True
