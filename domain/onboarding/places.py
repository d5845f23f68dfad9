"""Where somebody is brought in: found, and permitted to whoever asks."""

from typing import NamedTuple
from uuid import UUID

from domain.access.roles import Role, role_id
from domain.core.audited import Audited
from domain.core.errors import Conflict, Forbidden, InvalidState
from domain.core.ports import Access, AccessQuery, Store
from domain.groups.groups import Group, GroupInactive, GroupProviderOnly
from domain.groups.permissions import GroupPermissions
from domain.onboarding.invitations import AT, Invitation, Inviter
from domain.onboarding.requests import OnboardingRequest
from domain.organizations.memberships import StaffOrganization
from domain.organizations.organizations import Organization, OrganizationNotFound
from domain.people.individuals import Individual, IndividualNotFound
from domain.people.users import User


class UnknownRole(Conflict):
    detail = "The organization has no such role."


class ForeignGroup(Conflict):
    detail = "The group belongs to another organization."


class ForeignIndividual(Conflict):
    detail = "The individual is not owned by the organization."


class StaffPatient(Conflict):
    detail = "The operator's own people work in this organization; it has no patients."


class Place(NamedTuple):
    """Where somebody is brought in, all of it found and permitted."""

    organization: Organization
    groups: list[Group]
    roles: list[Role]
    individual: Individual | None

    @property
    def grounds(self) -> list[Audited]:
        """What has to be as it was seen for somebody to be brought in here."""
        return [self.organization, *self.groups, *([] if self.individual is None else [self.individual])]


class Places:
    """Finds places. Refusals come in the order of the request's members."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access
        self._groups = GroupPermissions(store, access)

    async def find(self, invitation: Invitation, inviter: Inviter) -> Place:
        """The place. Raises what `OnboardingRequests.create` says."""
        organization = await self._organization(invitation, inviter)
        individual = await self._individual(invitation, inviter)
        groups = [await self._group(invitation, inviter, each) for each in invitation.group_ids]
        roles = await self._roles(invitation, inviter)
        if not organization.active:
            raise InvalidState(pointer=f"{AT}/organization")
        return Place(organization, groups, roles, individual)

    async def reloaded(self, place: Place) -> Place:
        """Return the place as it is by now, with the same refusals for what has ended since it was found.

        Raises InvalidState, GroupInactive, ForeignIndividual.
        """
        organization = await self._store.get(Organization, place.organization.id)
        groups = list((await self._store.get_many(Group, [group.id for group in place.groups])).values())
        roles = await self._store.get_many(Role, [role.id for role in place.roles])
        individual = place.individual and await self._store.get(Individual, place.individual.id)
        if individual is not None and individual.owner_id != place.organization.id:
            raise ForeignIndividual(pointer=f"{AT}/patient")
        if not all(group.active for group in groups):
            raise GroupInactive(pointer=f"{AT}/individual-group-ids")
        if not organization.active:
            raise InvalidState(pointer=f"{AT}/organization")
        return Place(organization, groups, list(roles.values()), individual)

    async def joined(self, place: Place, request: OnboardingRequest, user: User) -> Place:
        """The place, and what an open request asked for the same user in the same organization."""
        groups = await self._store.get_many(Group, request.group_ids)
        here = {group.id: group for group in [*groups.values(), *place.groups] if group.active}
        names = [role_id(request.organization_id, name) for name in request.provider_roles]
        roles = await self._store.get_many(Role, names)
        individual = place.individual
        if individual is None and request.individual_id is not None and request.individual_id not in user.individuals:
            asked = await self._store.find(Individual, request.individual_id)
            individual = asked if asked is not None and asked.owner_id == request.organization_id else None
        roles |= {role.id: role for role in place.roles}
        return place._replace(groups=list(here.values()), roles=list(roles.values()), individual=individual)

    async def _organization(self, invitation: Invitation, inviter: Inviter) -> Organization:
        """Where the inviter may do this: as administrator, or for a patient with nothing done at once as provider."""
        pointer = f"{AT}/organization"
        organization = await self._store.find(Organization, invitation.organization_id)
        queries = [AccessQuery("organization", invitation.organization_id, each) for each in ("read", "write")]
        reads, governs = await self._access.decide(inviter.user_id, queries)
        if organization is None or not reads:
            raise OrganizationNotFound(pointer=pointer)
        if organization.staffed and not inviter.system:
            raise StaffOrganization(pointer=pointer)
        if organization.staffed and invitation.onboard_type == "patient":
            raise StaffPatient(pointer=pointer)
        if governs or inviter.trusted:  # nobody governs an inactive one; that it is, those who still see it are told
            return organization
        if invitation.onboard_type == "provider" or invitation.auto_sign_up or invitation.auto_confirm:
            raise Forbidden(pointer=pointer)
        member = await self._store.get(User, inviter.user_id)
        if organization.id not in member.organizations:  # staff read it all the same
            raise Forbidden(pointer=pointer)
        return organization

    async def _individual(self, invitation: Invitation, inviter: Inviter) -> Individual | None:
        if invitation.individual_id is None:
            return None
        pointer = f"{AT}/patient"
        queries = [AccessQuery("individual", invitation.individual_id, each) for each in ("read", "write")]
        reads, writes = await self._access.decide(inviter.user_id, queries)
        individual = await self._store.find(Individual, invitation.individual_id) if reads else None
        if individual is None:
            raise IndividualNotFound(pointer=pointer)
        if not writes:
            raise Forbidden(pointer=pointer)
        if individual.owner_id != invitation.organization_id:
            raise ForeignIndividual(pointer=pointer)
        return individual

    async def _group(self, invitation: Invitation, inviter: Inviter, group_id: UUID) -> Group:
        pointer = f"{AT}/individual-group-ids"
        group = await self._groups.changeable(inviter.user_id, group_id, pointer=pointer)
        if group.organization_id != invitation.organization_id:
            raise ForeignGroup(pointer=pointer)
        if group.type == "provider_only" and invitation.onboard_type == "patient":
            raise GroupProviderOnly(pointer=pointer)
        return group

    async def _roles(self, invitation: Invitation, inviter: Inviter) -> list[Role]:
        ids = [role_id(invitation.organization_id, name) for name in invitation.provider_roles]
        roles = await self._store.get_many(Role, ids)
        if len(roles) != len(set(ids)):
            raise UnknownRole(pointer=f"{AT}/provider-roles")
        for role in roles.values():
            role.refuse_strangers(as_system_admin=inviter.system)
        return list(roles.values())
