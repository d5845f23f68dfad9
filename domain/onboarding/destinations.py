"""Destinations of onboardings: the organization, groups, roles and individual that an invitation names."""

from typing import NamedTuple
from uuid import UUID

from domain.access.roles import Role, role_id
from domain.core.audited import Audited
from domain.core.errors import Conflict, Forbidden, InvalidState
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store
from domain.core.principal import Principal
from domain.groups.groups import Group, GroupInactive, GroupProviderOnly
from domain.groups.permissions import GroupPermissions
from domain.onboarding.invitations import Invitation
from domain.onboarding.requests import OnboardingRequest
from domain.organizations.memberships import StaffOrganization
from domain.organizations.organizations import Organization, OrganizationNotFound
from domain.people.individuals import Individual, IndividualNotFound
from domain.people.users import User


class UnknownRole(Conflict):
    """The organization does not have this role."""


class ForeignGroup(Conflict):
    """The group belongs to another organization."""


class ForeignIndividual(Conflict):
    """The organization does not own the individual."""


class StaffPatient(Conflict):
    """Staff work in this organization; it cannot have patients."""


class Destination(NamedTuple):
    """What an invitation names, loaded and permitted to the principal."""

    organization: Organization
    groups: list[Group]
    roles: list[Role]
    individual: Individual | None

    @property
    def rests_on(self) -> list[Audited]:
        """Return the aggregates that may not change while the request is saved."""
        return [self.organization, *self.groups, *([] if self.individual is None else [self.individual])]


class Destinations:
    """Loads destinations. It raises refusals in the order of the request's members."""

    def __init__(self, store: Store, permissions: Permissions) -> None:
        self._store = store
        self._permissions = permissions
        self._groups = GroupPermissions(store, permissions)

    async def find(self, principal: Principal, invitation: Invitation) -> Destination:
        """Return the destination. Raises the refusals that `OnboardingRequests.create` lists."""
        organization = await self._organization(principal, invitation)
        individual = await self._individual(principal, invitation)
        groups = [await self._group(principal, invitation, group_id) for group_id in invitation.group_ids]
        roles = await self._roles(principal, invitation)
        if not organization.active:
            raise InvalidState(argument="organization_id")
        return Destination(organization, groups, roles, individual)

    async def reload(self, destination: Destination) -> Destination:
        """Return the destination as it is now. Raises InvalidState, GroupInactive, ForeignIndividual."""
        organization = await self._store.get(Organization, destination.organization.id)
        groups = list((await self._store.get_many(Group, [group.id for group in destination.groups])).values())
        roles = await self._store.get_many(Role, [role.id for role in destination.roles])
        individual = destination.individual and await self._store.get(Individual, destination.individual.id)
        if individual is not None and individual.owner_id != destination.organization.id:
            raise ForeignIndividual(argument="individual_id")
        if not all(group.active for group in groups):
            raise GroupInactive(argument="group_ids")
        if not organization.active:
            raise InvalidState(argument="organization_id")
        return Destination(organization, groups, list(roles.values()), individual)

    async def merge(self, destination: Destination, request: OnboardingRequest, user: User) -> Destination:
        """Return the destination together with that of an open request for the same user and organization."""
        left = await self.left_of(request, user, destination.organization)
        groups = {group.id: group for group in [*left.groups, *destination.groups] if group.active}
        roles = {role.id: role for role in [*left.roles, *destination.roles]}
        individual = destination.individual or left.individual
        return destination._replace(groups=list(groups.values()), roles=list(roles.values()), individual=individual)

    async def left_of(self, request: OnboardingRequest, user: User, organization: Organization) -> Destination:
        """Return the destination of an open request, without groups, roles and an individual that are gone (K99).

        Its individual is one that the user does not have yet.
        """
        groups = await self._store.get_many(Group, request.group_ids)
        roles = await self._store.get_many(Role, [role_id(organization.id, name) for name in request.provider_roles])
        individual = None
        if request.individual_id is not None and request.individual_id not in user.individuals:
            individual = await self._store.find(Individual, request.individual_id)
            if individual is not None and individual.owner_id != organization.id:
                individual = None
        active = [group for group in groups.values() if group.active]
        return Destination(organization, active, list(roles.values()), individual)

    async def _organization(self, principal: Principal, invitation: Invitation) -> Organization:
        """Return the organization if the principal may onboard the person there.

        Administrators may onboard anyone. Providers may invite patients, but not sign them up or confirm them.
        """
        argument = "organization_id"
        organization = await self._store.find(Organization, invitation.organization_id)
        reading = AccessQuery("organization", invitation.organization_id, "read")
        reads, administers = await self._permissions.allows(principal, reading, reading._replace(operation="write"))
        if organization is None or not reads:
            raise OrganizationNotFound(argument=argument)
        if organization.staffed and not principal.system:
            raise StaffOrganization(argument=argument)
        if organization.staffed and invitation.onboard_type == "patient":
            raise StaffPatient(argument=argument)
        if administers or principal.unlimited:  # `find` refuses an inactive organization, which has no administrators
            return organization
        if invitation.onboard_type == "provider" or invitation.auto_sign_up or invitation.auto_confirm:
            raise Forbidden(argument=argument)
        member = await self._store.get(User, principal.user_id)
        if organization.id not in member.organizations:  # staff read the organization without being in it
            raise Forbidden(argument=argument)
        return organization

    async def _individual(self, principal: Principal, invitation: Invitation) -> Individual | None:
        if invitation.individual_id is None:
            return None
        argument = "individual_id"
        reading = AccessQuery("individual", invitation.individual_id, "read")
        reads, writes = await self._permissions.allows(principal, reading, reading._replace(operation="write"))
        individual = await self._store.find(Individual, invitation.individual_id) if reads else None
        if individual is None:
            raise IndividualNotFound(argument=argument)
        if not writes:
            raise Forbidden(argument=argument)
        if individual.owner_id != invitation.organization_id:
            raise ForeignIndividual(argument=argument)
        return individual

    async def _group(self, principal: Principal, invitation: Invitation, group_id: UUID) -> Group:
        argument = "group_ids"
        group = await self._groups.require_changeable(principal, group_id, argument=argument)
        if group.organization_id != invitation.organization_id:
            raise ForeignGroup(argument=argument)
        if group.type == "provider_only" and invitation.onboard_type == "patient":
            raise GroupProviderOnly(argument=argument)
        return group

    async def _roles(self, principal: Principal, invitation: Invitation) -> list[Role]:
        ids = [role_id(invitation.organization_id, name) for name in invitation.provider_roles]
        roles = await self._store.get_many(Role, ids)
        if len(roles) != len(set(ids)):
            raise UnknownRole(argument="provider_roles")
        for role in roles.values():
            role.require_assignable_by(principal)
        return list(roles.values())
