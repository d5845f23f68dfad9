"""A batch of events as its last word on each row of the authorization tables."""

from datetime import datetime
from typing import Any
from uuid import UUID

from domain.access.roles import KEPT, Role, role_id
from domain.core.personal import revealed
from domain.core.recorded import Recorded
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry
from domain.groups.trees import GroupTree
from domain.organizations.organizations import Organization, is_staffed
from domain.people.individuals import Individual
from domain.people.users import STAFF, User

Stamps = dict[UUID, datetime]


class AccessFold:
    """What is missing from a dict is unchanged; `None` in the entries and in `user_shares` is "no longer"."""

    def __init__(self) -> None:
        self.new_users: list[tuple[UUID, str | None, bool, datetime]] = []
        self.new_organizations: list[tuple[UUID, bool, bool, datetime]] = []
        self.new_roles: list[tuple[UUID, UUID, str]] = []
        self.new_groups: list[tuple[UUID, UUID, str, datetime]] = []
        self.confirmed: set[UUID] = set()
        self.enabled: dict[UUID, bool] = {}
        self.sessions_from: dict[UUID, int] = {}
        self.open: dict[UUID, bool] = {}
        self.active: dict[UUID, bool] = {}
        self.staffed: dict[UUID, bool] = {}
        self.providers: dict[tuple[UUID, UUID], bool] = {}
        self.role_holders: dict[tuple[UUID, UUID], bool] = {}
        self.leavers: set[UUID] = set()
        self.created: set[UUID] = set()
        self.owners: dict[UUID, tuple[str, UUID, datetime]] = {}
        self.disowned: dict[UUID, tuple[datetime, int]] = {}  # when the owner from before the batch ceased to be it
        self.shares: dict[tuple[UUID, UUID], bool] = {}
        self.user_shares: dict[tuple[UUID, UUID], str | None] = {}
        self.may_leave: set[UUID] = set()
        self.structure: list[GroupTree.Moved | Group.Deactivated] = []
        self.individual_seats: dict[tuple[UUID, UUID], UUID | None] = {}  # by individual and group
        self.user_seats: dict[tuple[UUID, UUID, str], UUID | None] = {}  # by user, group and kind
        self.touched_users: Stamps = {}
        self.touched_individuals: Stamps = {}
        self.touched_groups: Stamps = {}
        self.touched_organizations: Stamps = {}
        self.authorization_changed: Stamps = {}
        # positions of the last events that took a right away: of a user, or of anybody with rights in an organization,
        # which `unplaced` narrows down to rights on these individuals unless it is `far_reaching`
        self.losers: dict[UUID, int] = {}
        self.losing_organizations: dict[UUID, int] = {}
        self.unplaced: set[UUID] = set()
        self.far_reaching = False
        self._position = 0

    def add(self, recorded: Recorded) -> None:
        """The next event of the log."""
        event: Any = recorded.event
        self._position = recorded.position
        match event:
            case RosterEntry.Created() | RosterEntry.AddedAgain() | RosterEntry.Removed():
                self._add_roster_entry(event)
            case (
                Individual.Created()
                | Individual.OwnerChanged()
                | Individual.SharedWithOrganization()
                | Individual.UnsharedFromOrganization()
                | Individual.SharedWithUser()
                | Individual.UnsharedFromUser()
            ):
                self._add_individual(event)
            case Group.Created() | Group.Deactivated() | GroupTree.Moved():
                self._add_group(event)
            case Role.Created() | Role.Granted() | Role.Revoked():
                self._add_role(event)
            case (
                Organization.Created()
                | Organization.DetailsChanged()
                | Organization.AuthorizationTypeChanged()
                | Organization.Activated()
                | Organization.Deactivated()
            ):
                self._add_organization(event)
            case (
                User.Created()
                | User.PasswordSet()
                | User.Confirmed()
                | User.TakenOver()
                | User.Disabled()
                | User.Enabled()
            ):
                self._add_user(event)
            case User.JoinedOrganization() | User.LeftOrganization():
                self._add_membership(event)
            case _:
                pass

    def may_be_there(self, individual_id: UUID, organization_id: UUID) -> bool:
        """Whether the organization may have had part in the individual before it was shared with it."""
        return individual_id not in self.created or self.owners[individual_id][1] == organization_id

    def may_have_several(self) -> set[UUID]:
        """Individuals that may be several organizations' now, or no longer be it."""
        parties: dict[UUID, int] = {key: party == "organization" for key, (party, _, _) in self.owners.items()}
        for individual_id, _ in self.shares:
            parties[individual_id] = parties.get(individual_id, 0) + 1
        return {key for key, number in parties.items() if number > 1 or key not in self.created}

    def _add_user(self, event: Any) -> None:
        user_id = event.originator_id
        match event:
            case User.Created(kind="service", username=username):
                name = (revealed(username) or "").rpartition("/")[2]
                self.new_users.append((user_id, name, False, event.timestamp))
            case User.Created(classification=classification):
                self.new_users.append((user_id, None, classification == STAFF, event.timestamp))
            case User.Confirmed():
                self.confirmed.add(user_id)
            case User.TakenOver():
                self._end_sessions(user_id)
            case User.Enabled():
                self.enabled[user_id] = True
            case User.Disabled():
                self.enabled[user_id] = False
                self._end_sessions(user_id)
        _stamp(self.touched_users, user_id, event)

    def _end_sessions(self, user_id: UUID) -> None:
        self.sessions_from[user_id] = self._position
        self.losers[user_id] = self._position

    def _add_membership(self, event: Any) -> None:
        joined = isinstance(event, User.JoinedOrganization)
        self.providers[event.originator_id, event.organization_id] = joined
        if not joined:
            self.leavers.add(event.originator_id)
            self.losers[event.originator_id] = self._position
            for name in KEPT:  # revoked by the same command; no right rests on that
                self.role_holders[role_id(event.organization_id, name), event.originator_id] = False
        _stamp(self.touched_users, event.originator_id, event)

    def _add_organization(self, event: Any) -> None:
        match event:
            case Organization.Created(authorization_type=kind, classification=classification):
                staffed = is_staffed(event.originator_id, classification)
                self.new_organizations.append((event.originator_id, kind == "open", staffed, event.timestamp))
            case Organization.DetailsChanged(classification=classification):
                self.staffed[event.originator_id] = staffed = is_staffed(event.originator_id, classification)
                if not staffed:  # its staff may have ceased to be it
                    self._lose_in(event.originator_id)
            case Organization.AuthorizationTypeChanged(authorization_type=kind):
                self.open[event.originator_id] = kind == "open"
                if kind != "open":
                    self._lose_in(event.originator_id)
            case Organization.Activated():
                self.active[event.originator_id] = True
            case Organization.Deactivated():
                self.active[event.originator_id] = False
                self._lose_in(event.originator_id)
        _stamp(self.authorization_changed, event.originator_id, event)

    def _add_role(self, event: Any) -> None:
        match event:
            case Role.Created(organization_id=organization_id, name=name):
                self.new_roles.append((event.originator_id, organization_id, name))
            case Role.Granted(user_id=user_id):
                self.role_holders[event.originator_id, user_id] = True
                _stamp(self.touched_users, user_id, event)
            case Role.Revoked(user_id=user_id):
                self.role_holders[event.originator_id, user_id] = False
                self.leavers.add(user_id)
                self.losers[user_id] = self._position
                _stamp(self.touched_users, user_id, event)

    def _add_individual(self, event: Any) -> None:
        individual_id = event.originator_id
        match event:
            case Individual.Created(owner_type=party, owner_id=owner_id):
                self.created.add(individual_id)
                self._set_owner(event, party, owner_id)
            case Individual.OwnerChanged(owner_type=party, owner_id=owner_id):
                self.may_leave.add(individual_id)
                self._set_owner(event, party, owner_id)
            case Individual.SharedWithOrganization(organization_id=organization_id):
                self.shares[individual_id, organization_id] = True
                _stamp(self.touched_organizations, organization_id, event)
            case Individual.UnsharedFromOrganization(organization_id=organization_id):
                self.shares[individual_id, organization_id] = False
                self.may_leave.add(individual_id)
                self._lose_in(organization_id)
                _stamp(self.touched_organizations, organization_id, event)
            case Individual.SharedWithUser(user_id=user_id, operation=operation):
                self.user_shares[user_id, individual_id] = operation
                self.losers[user_id] = self._position  # it may have been another operation before
            case Individual.UnsharedFromUser(user_id=user_id):
                self.user_shares[user_id, individual_id] = None
                self.losers[user_id] = self._position
                _stamp(self.touched_users, user_id, event)
        _stamp(self.touched_individuals, individual_id, event)

    def _set_owner(self, event: Any, party: str, owner_id: UUID) -> None:
        former = self.owners.get(event.originator_id)
        if former is not None:  # owner for a part of this batch
            self._disown(*former[:2], event)
        elif isinstance(event, Individual.OwnerChanged):
            self.far_reaching = True
            self.disowned[event.originator_id] = event.timestamp, self._position
        self.owners[event.originator_id] = (party, owner_id, event.timestamp)
        if party == "organization":
            _stamp(self.touched_organizations, owner_id, event)

    def _disown(self, party: str, owner_id: UUID, event: Any) -> None:
        if party == "organization":
            _stamp(self.touched_organizations, owner_id, event)
            self._lose_in(owner_id)
        else:
            _stamp(self.touched_users, owner_id, event)
            self.losers[owner_id] = self._position

    def _lose_in(self, organization_id: UUID) -> None:
        self.losing_organizations[organization_id] = self._position
        self.far_reaching = True

    def _add_group(self, event: Any) -> None:
        if isinstance(event, Group.Created):
            self.new_groups.append((event.originator_id, event.organization_id, event.type, event.timestamp))
        else:
            self.structure.append(event)
            self._lose_in(event.organization_id)
        _stamp(self.touched_organizations, event.organization_id, event)

    def _add_roster_entry(self, event: Any) -> None:
        taken = None if isinstance(event, RosterEntry.Removed) else event.organization_id
        if event.kind == "individual":
            self.individual_seats[event.subject_id, event.group_id] = taken
            if taken is None:
                self.losing_organizations[event.organization_id] = self._position
                self.unplaced.add(event.subject_id)
            _stamp(self.touched_individuals, event.subject_id, event)
            _stamp(self.touched_groups, event.group_id, event)
            _stamp(self.touched_organizations, event.organization_id, event)
        else:
            self.user_seats[event.subject_id, event.group_id, event.kind] = taken
            if taken is None:
                self.losers[event.subject_id] = self._position
            _stamp(self.touched_users, event.subject_id, event)


def _stamp(stamps: Stamps, key: UUID, event: Any) -> None:
    known = stamps.get(key)
    stamps[key] = event.timestamp if known is None else max(known, event.timestamp)
