"""A batch of events folded to the last state of each row of the authorization tables."""

from datetime import datetime
from typing import Any
from uuid import UUID

from domain.access.roles import ADMIN_ROLES, Role, role_id
from domain.core.personal import revealed
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry
from domain.groups.trees import GroupTree
from domain.organizations.organizations import Organization, is_staffed
from domain.people.individuals import Individual
from domain.people.user_state import STAFF
from domain.people.users import User
from projections.core.fold import Fold, handler

Stamps = dict[UUID, datetime]
OrganizationChange = (
    Organization.DetailsChanged
    | Organization.AuthorizationTypeChanged
    | Organization.Activated
    | Organization.Deactivated
)


class AccessFold(Fold):
    """A key that a dict lacks is unchanged; None in the entries and in `user_shares` means that the row goes."""

    def __init__(self) -> None:
        self.new_users: list[tuple[UUID, str | None, bool, datetime]] = []
        self.new_organizations: list[tuple[UUID, bool, bool, datetime]] = []
        self.new_roles: list[tuple[UUID, UUID, str]] = []
        self.new_groups: list[tuple[UUID, UUID, str, datetime]] = []
        self.confirmed: set[UUID] = set()
        self.enabled: dict[UUID, bool] = {}
        self.ended_sessions: dict[UUID, tuple[int, UUID | None]] = {}  # position, and the one session that stays
        self.reset_required: dict[UUID, bool] = {}
        self.classified: dict[UUID, bool] = {}
        self.archived: set[UUID] = set()
        self.open: dict[UUID, bool] = {}
        self.active: dict[UUID, bool] = {}
        self.staffed: dict[UUID, bool] = {}
        self.providers: dict[tuple[UUID, UUID], bool] = {}
        self.role_holders: dict[tuple[UUID, UUID], bool] = {}
        self.leaving_users: set[UUID] = set()
        self.created: set[UUID] = set()
        self.owners: dict[UUID, tuple[str, UUID, datetime]] = {}
        self.disowned: dict[UUID, tuple[datetime, int]] = {}  # when the owner from before the batch ceased to be it
        self.shares: dict[tuple[UUID, UUID], bool] = {}
        self.user_shares: dict[tuple[UUID, UUID], str | None] = {}
        self.may_lose_organizations: set[UUID] = set()
        self.tree_changes: list[GroupTree.Moved | Group.Deactivated] = []
        self.individual_entries: dict[tuple[UUID, UUID], UUID | None] = {}  # by individual and group
        self.user_entries: dict[tuple[UUID, UUID, str], UUID | None] = {}  # by user, group and kind
        self.touched_users: Stamps = {}
        self.touched_individuals: Stamps = {}
        self.touched_groups: Stamps = {}
        self.touched_organizations: Stamps = {}
        self.authorization_changed: Stamps = {}
        # positions of the last events that took a right away: of a user, or of anybody with rights in an organization,
        # which `removed_individuals` narrows down to rights on these individuals unless it is `any_right_lost`
        self.losing_users: dict[UUID, int] = {}
        self.losing_organizations: dict[UUID, int] = {}
        self.removed_individuals: set[UUID] = set()
        self.any_right_lost = False

    def may_be_there(self, individual_id: UUID, organization_id: UUID) -> bool:
        """Return whether the organization may have had the individual before it was shared with the organization."""
        return individual_id not in self.created or self.owners[individual_id][1] == organization_id

    def may_have_several(self) -> set[UUID]:
        """Return the individuals that may be several organizations' now, or no longer be."""
        parties: dict[UUID, int] = {key: party == "organization" for key, (party, _, _) in self.owners.items()}
        for individual_id, _ in self.shares:
            parties[individual_id] = parties.get(individual_id, 0) + 1
        return {key for key, number in parties.items() if number > 1 or key not in self.created}

    @handler
    def create_user(self, event: User.Created) -> None:
        if event.kind == "service":
            service_name = (revealed(event.names.username) or "").rpartition("/")[2]
            self.new_users.append((event.originator_id, service_name, False, event.timestamp))
        else:
            self.new_users.append((event.originator_id, None, event.classification == STAFF, event.timestamp))
        _stamp(self.touched_users, event.originator_id, event)

    @handler
    def set_password(self, event: User.PasswordSet | User.RegistrationUndone) -> None:
        _stamp(self.touched_users, event.originator_id, event)

    @handler
    def confirm(self, event: User.Confirmed) -> None:
        self.confirmed.add(event.originator_id)
        _stamp(self.touched_users, event.originator_id, event)

    @handler
    def take_over(self, event: User.TakenOver) -> None:
        self._end_sessions(event.originator_id)
        _stamp(self.touched_users, event.originator_id, event)

    @handler
    def change_password(self, event: User.PasswordChanged | User.PasswordReset | User.PasswordResetRequired) -> None:
        if isinstance(event, User.PasswordReset):
            self.reset_required[event.originator_id] = False
            self._end_sessions(event.originator_id)
        elif isinstance(event, User.PasswordResetRequired):
            self.reset_required[event.originator_id] = True
            if event.ends_sessions:
                self._end_sessions(event.originator_id)
        elif event.ends_sessions:
            self._end_sessions(event.originator_id, kept=event.kept_session_id)
        _stamp(self.touched_users, event.originator_id, event)

    @handler
    def classify(self, event: User.ClassificationChanged) -> None:
        self.classified[event.originator_id] = event.classification == STAFF
        self.losing_users[event.originator_id] = self.position
        _stamp(self.touched_users, event.originator_id, event)

    @handler
    def archive(self, event: User.Archived) -> None:
        self.archived.add(event.originator_id)
        self._end_sessions(event.originator_id)
        _stamp(self.touched_users, event.originator_id, event)

    @handler
    def enable(self, event: User.Enabled | User.Disabled) -> None:
        self.enabled[event.originator_id] = enabled = isinstance(event, User.Enabled)
        if not enabled:
            self._end_sessions(event.originator_id)
        _stamp(self.touched_users, event.originator_id, event)

    def _end_sessions(self, user_id: UUID, *, kept: UUID | None = None) -> None:
        self.ended_sessions[user_id] = self.position, kept
        self.losing_users[user_id] = self.position

    @handler
    def join(self, event: User.JoinedOrganization) -> None:
        self.providers[event.originator_id, event.organization_id] = True
        _stamp(self.touched_users, event.originator_id, event)

    @handler
    def leave(self, event: User.LeftOrganization) -> None:
        self.providers[event.originator_id, event.organization_id] = False
        self._take_rights(event.originator_id)
        for name in ADMIN_ROLES:  # revoked by the same command; no right rests on that
            self.role_holders[role_id(event.organization_id, name), event.originator_id] = False
        _stamp(self.touched_users, event.originator_id, event)

    @handler
    def create_organization(self, event: Organization.Created) -> None:
        staffed = is_staffed(event.originator_id, event.details.classification)
        is_open = event.authorization_type == "open"
        self.new_organizations.append((event.originator_id, is_open, staffed, event.timestamp))
        _stamp(self.authorization_changed, event.originator_id, event)

    @handler
    def change_details(self, event: Organization.DetailsChanged) -> None:
        self.staffed[event.originator_id] = staffed = is_staffed(event.originator_id, event.details.classification)
        self._change_authorization(event, may_lose=not staffed)  # its staff may have ceased to be it

    @handler
    def change_authorization_type(self, event: Organization.AuthorizationTypeChanged) -> None:
        self.open[event.originator_id] = is_open = event.authorization_type == "open"
        self._change_authorization(event, may_lose=not is_open)

    @handler
    def activate(self, event: Organization.Activated | Organization.Deactivated) -> None:
        self.active[event.originator_id] = active = isinstance(event, Organization.Activated)
        self._change_authorization(event, may_lose=not active)

    def _change_authorization(self, event: OrganizationChange, *, may_lose: bool) -> None:
        if may_lose:
            self._lose_in(event.originator_id)
        _stamp(self.authorization_changed, event.originator_id, event)

    @handler
    def create_role(self, event: Role.Created) -> None:
        self.new_roles.append((event.originator_id, event.organization_id, event.name))

    @handler
    def grant(self, event: Role.Granted | Role.Revoked) -> None:
        self.role_holders[event.originator_id, event.user_id] = granted = isinstance(event, Role.Granted)
        if not granted:
            self._take_rights(event.user_id)
        _stamp(self.touched_users, event.user_id, event)

    def _take_rights(self, user_id: UUID) -> None:
        self.leaving_users.add(user_id)
        self.losing_users[user_id] = self.position

    @handler
    def create_individual(self, event: Individual.Created) -> None:
        self.created.add(event.originator_id)
        self._set_owner(event)

    @handler
    def change_owner(self, event: Individual.OwnerChanged) -> None:
        self.may_lose_organizations.add(event.originator_id)
        self._set_owner(event)

    def _set_owner(self, event: Individual.Created | Individual.OwnerChanged) -> None:
        party, owner_id = event.owner_type, event.owner_id
        former = self.owners.get(event.originator_id)
        if former is not None:  # owner for a part of this batch
            self._disown(*former[:2], event)
        elif isinstance(event, Individual.OwnerChanged):
            self.any_right_lost = True
            self.disowned[event.originator_id] = event.timestamp, self.position
        self.owners[event.originator_id] = (party, owner_id, event.timestamp)
        if party == "organization":
            _stamp(self.touched_organizations, owner_id, event)
        _stamp(self.touched_individuals, event.originator_id, event)

    def _disown(self, party: str, owner_id: UUID, event: Any) -> None:
        if party == "organization":
            _stamp(self.touched_organizations, owner_id, event)
            self._lose_in(owner_id)
        else:
            _stamp(self.touched_users, owner_id, event)
            self.losing_users[owner_id] = self.position

    @handler
    def share(self, event: Individual.SharedWithOrganization) -> None:
        self.shares[event.originator_id, event.organization_id] = True
        _stamp(self.touched_organizations, event.organization_id, event)
        _stamp(self.touched_individuals, event.originator_id, event)

    @handler
    def unshare(self, event: Individual.UnsharedFromOrganization) -> None:
        self.shares[event.originator_id, event.organization_id] = False
        self.may_lose_organizations.add(event.originator_id)
        self._lose_in(event.organization_id)
        _stamp(self.touched_organizations, event.organization_id, event)
        _stamp(self.touched_individuals, event.originator_id, event)

    @handler
    def share_with_user(self, event: Individual.SharedWithUser) -> None:
        self.user_shares[event.user_id, event.originator_id] = event.operation
        self.losing_users[event.user_id] = self.position  # it may have been another operation before
        _stamp(self.touched_individuals, event.originator_id, event)

    @handler
    def unshare_from_user(self, event: Individual.UnsharedFromUser) -> None:
        self.user_shares[event.user_id, event.originator_id] = None
        self.losing_users[event.user_id] = self.position
        _stamp(self.touched_users, event.user_id, event)
        _stamp(self.touched_individuals, event.originator_id, event)

    def _lose_in(self, organization_id: UUID) -> None:
        self.losing_organizations[organization_id] = self.position
        self.any_right_lost = True

    @handler
    def create_group(self, event: Group.Created) -> None:
        self.new_groups.append((event.originator_id, event.organization_id, event.type, event.timestamp))
        _stamp(self.touched_organizations, event.organization_id, event)

    @handler
    def change_tree(self, event: GroupTree.Moved | Group.Deactivated) -> None:
        self.tree_changes.append(event)
        self._lose_in(event.organization_id)
        _stamp(self.touched_organizations, event.organization_id, event)

    @handler
    def change_roster(self, event: RosterEntry.Created | RosterEntry.AddedAgain | RosterEntry.Removed) -> None:
        entered = None if isinstance(event, RosterEntry.Removed) else event.organization_id
        if event.kind == "individual":
            self.individual_entries[event.subject_id, event.group_id] = entered
            if entered is None:
                self.losing_organizations[event.organization_id] = self.position
                self.removed_individuals.add(event.subject_id)
            _stamp(self.touched_individuals, event.subject_id, event)
            _stamp(self.touched_groups, event.group_id, event)
            _stamp(self.touched_organizations, event.organization_id, event)
        else:
            self.user_entries[event.subject_id, event.group_id, event.kind] = entered
            if entered is None:
                self.losing_users[event.subject_id] = self.position
            _stamp(self.touched_users, event.subject_id, event)


def _stamp(stamps: Stamps, key: UUID, event: Any) -> None:
    known = stamps.get(key)
    stamps[key] = event.timestamp if known is None else max(known, event.timestamp)
