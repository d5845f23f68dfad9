"""Roster entries: the leaders, members and individuals of groups.

Each entry (group, kind, subject) is a stream of its own, so that adding one person to a roster of 100,000 people costs
the same as adding one to an empty roster.
"""

from typing import Literal
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited

RosterKind = Literal["individual", "leader", "member"]


def roster_entry_id(group_id: UUID, kind: RosterKind, subject_id: UUID) -> UUID:
    """Return the id of the entry of one person in one roster of a group."""
    return uuid5(group_id, f"{kind}:{subject_id}")


class RosterEntry(Audited):
    """The entry of one person in one roster of a group. `subject_id` is the id of an individual or of a user."""

    TOPIC = "entry"
    SNAPSHOT_EVERY = None

    group_id: UUID
    organization_id: UUID
    kind: RosterKind
    subject_id: UUID
    present: bool = True

    class Created(Audited.Created):
        """A person was added to a roster for the first time."""

        TOPIC = "roster-entry.added"
        group_id: UUID
        organization_id: UUID
        kind: RosterKind
        subject_id: UUID

    class Removed(Audited.Event):
        """The person was removed from the roster."""

        TOPIC = "roster-entry.removed"
        group_id: UUID
        organization_id: UUID
        kind: RosterKind
        subject_id: UUID

    class AddedAgain(Audited.Event):
        """The person was added to the roster again."""

        TOPIC = "roster-entry.added-again"
        group_id: UUID
        organization_id: UUID
        kind: RosterKind
        subject_id: UUID

    @classmethod
    def add(cls, group_id: UUID, organization_id: UUID, kind: RosterKind, subject_id: UUID) -> "RosterEntry":
        """Return a new entry, by which the person is in the roster."""
        return cls._create(
            cls.Created,
            id=roster_entry_id(group_id, kind, subject_id),
            group_id=group_id,
            organization_id=organization_id,
            kind=kind,
            subject_id=subject_id,
        )

    def add_again(self) -> None:
        """Add the person again. Record no event when they are in the roster already."""
        if not self.present:
            self._added_again(self.group_id, self.organization_id, self.kind, self.subject_id)

    def remove(self) -> None:
        """Remove the person. Record no event when they are not in the roster."""
        if self.present:
            self._removed(self.group_id, self.organization_id, self.kind, self.subject_id)

    @event(Removed)
    def _removed(self, group_id: UUID, organization_id: UUID, kind: RosterKind, subject_id: UUID) -> None:  # noqa: ARG002
        self.present = False

    @event(AddedAgain)
    def _added_again(self, group_id: UUID, organization_id: UUID, kind: RosterKind, subject_id: UUID) -> None:  # noqa: ARG002
        self.present = True
