"""Memberships: commands that make users providers of organizations, and what follows from joining and leaving."""

from collections.abc import Sequence
from uuid import UUID

from domain.access.roles import ADMIN_ROLES, Role, RoleNotFound, role_id
from domain.core.errors import Conflict, Forbidden, InvalidState
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.groups.rosters import RosterEntry, roster_entry_id
from domain.organizations.organizations import Organization
from domain.people.directory import Directory
from domain.people.individuals import Individual
from domain.people.named_users import NamedUsers, UserIdOrEmail
from domain.people.users import User


class UserIsParticipant(Conflict, code="user-is-participant"):
    """The user is a participant: others may read their individual, or they own several."""


class ForeignRole(Conflict):
    """The role belongs to another organization."""


class StaffOrganization(Forbidden):
    """Only a system administrator may add people to this organization."""


class Memberships:
    """Commands on memberships, for administrators. Each returns the position of its events."""

    def __init__(self, store: Store, directory: Directory, permissions: Permissions) -> None:
        self._store = store
        self._directory = directory
        self._permissions = permissions
        self._users = NamedUsers(store, directory, permissions)

    @retry_on_conflict
    async def add(
        self, principal: Principal, organization_id: UUID, name: UserIdOrEmail, role_id: UUID | None = None
    ) -> tuple[User, int]:
        """Make the user a provider of the organization, and grant them the role if one is given.

        Raises NotFound, Forbidden, StaffOrganization, SystemRole, ForeignRole, InvalidState, UserIsParticipant.
        """
        await self._permissions.require_administrator(principal, organization_id, argument="organization_id")
        organization = await self._store.get(Organization, organization_id)
        if organization.staffed and not principal.system:
            raise StaffOrganization
        user = await self._users.find(principal, name, organization_id)
        roles = [await self._role_of(principal, organization_id, role_id)] if role_id else []
        individuals = [] if organization_id in user.organizations else await self._enter(organization, user)
        for role in roles:
            role.require_assignable_by(principal)
            role.grant(user.id, live=role.counts(user))
        return user, await save_resting_on(self._store, user, *individuals, *roles, unchanged=[organization])

    @retry_on_conflict
    async def remove(self, principal: Principal, organization_id: UUID, name: UserIdOrEmail) -> int:
        """End the membership. Revoke the user's roles and remove them from the organization's groups.

        Raises NotFound, Forbidden, SystemRole, LastAdmin.
        """
        await self._permissions.require_administrator(principal, organization_id, argument="organization_id")
        organization = await self._store.get(Organization, organization_id)
        user = await self._users.find(principal, name, organization_id)
        if organization_id not in user.organizations:
            return await self._store.save(organization)
        roles = await self._admin_roles(organization_id)
        for role in [role for role in roles if user.id in role.holders]:
            role.require_assignable_by(principal)
            role.revoke(user.id)
        entries = await self._entries_of(user.id, organization_id)
        for entry in entries:
            entry.remove()
        user.leave(organization_id)
        individuals = [] if user.organizations else await self._individuals_of(user)
        for individual in individuals:
            individual.mark_provider(provider=False)
        return await save_resting_on(self._store, *roles, *entries, user, *individuals)

    async def _role_of(self, principal: Principal, organization_id: UUID, role_id: UUID) -> Role:
        role = await self._store.find(Role, role_id)
        if role is None:
            raise RoleNotFound(argument="role_id")
        if role.organization_id != organization_id:
            reading = AccessQuery("organization", role.organization_id, "read")
            await self._permissions.require(principal, reading, argument="role_id")
            raise ForeignRole(argument="role_id")
        return role

    async def _enter(self, organization: Organization, user: User) -> list[Individual]:
        """Make the user a provider. Return their individuals, which are a provider's now."""
        if not organization.active or user.state not in {"confirmed", "init"} or user.kind == "service":
            raise InvalidState
        user.require_not_limited_to_another(organization.id)
        individuals = [] if user.organizations else await self._individuals_of(user)
        require_no_participant(individuals)
        for individual in individuals:
            individual.mark_provider(provider=True)
        user.join(organization.id)
        return individuals

    async def _individuals_of(self, user: User) -> list[Individual]:
        return list((await self._store.get_many(Individual, user.individuals)).values())

    async def _admin_roles(self, organization_id: UUID) -> list[Role]:
        ids = [role_id(organization_id, name) for name in ADMIN_ROLES]
        return list((await self._store.get_many(Role, ids)).values())

    async def _entries_of(self, user_id: UUID, organization_id: UUID) -> list[RosterEntry]:
        rosters = await self._directory.entries(user_id, organization_id)
        ids = [roster_entry_id(group_id, kind, user_id) for group_id, kind in rosters]
        return list((await self._store.get_many(RosterEntry, ids)).values())


def require_no_participant(individuals: Sequence[Individual]) -> None:
    """Raise UserIsParticipant when a user with these individuals is a participant."""
    if len(individuals) > 1 or any(_is_of_participant(individual) for individual in individuals):
        raise UserIsParticipant


def _is_of_participant(individual: Individual) -> bool:
    """Return whether others may read the individual, or will after its person claims it from its organization."""
    return individual.shared or (individual.owner_type == "organization" and not individual.provider)
