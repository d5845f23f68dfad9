"""Who may read and change onboarding requests (semantics 4, rulings K56, K57 and K97)."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.core.errors import Forbidden, InvalidState, NotFound
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store
from domain.core.principal import Principal
from domain.onboarding.invitations import OnboardType
from domain.organizations.memberships import StaffOrganization
from domain.organizations.organizations import Organization
from domain.people.users import User


class OnboardingRequestNotFound(NotFound):
    """The request does not exist, or the caller may not see it."""


class Onboarded(Protocol):
    """What the rights on a request depend on: its organization, and whether it is about a patient or a provider."""

    @property
    def organization_id(self) -> UUID: ...
    @property
    def onboard_type(self) -> OnboardType: ...


@dataclass(frozen=True, eq=False)
class OnboardingPermissions:
    """Checks of the rights on onboarding requests."""

    store: Store
    permissions: Permissions

    async def reads(self, principal: Principal, organization_id: UUID) -> tuple[bool, bool]:
        """Return whether the principal reads the organization's requests about patients, and those about providers."""
        reading = AccessQuery("organization", organization_id, "read")
        reads, administers = await self.permissions.allows(principal, reading, reading._replace(operation="write"))
        return reads, reads and (administers or principal.reads_all)

    async def require_readable(self, principal: Principal, request: Onboarded) -> None:
        """Raise OnboardingRequestNotFound when the principal may not read the request."""
        patients, providers = await self.reads(principal, request.organization_id)
        if not (patients if request.onboard_type == "patient" else providers):
            raise OnboardingRequestNotFound

    async def require_changeable(self, principal: Principal, request: Onboarded) -> None:
        """Raise a refusal unless the principal may change the request.

        OnboardingRequestNotFound is raised for one that they may not read, Forbidden for staff outside the
        organization, StaffOrganization unless system administrators invite to one of staff, and InvalidState when the
        organization is inactive.
        """
        await self.require_readable(principal, request)
        organization = await self.store.get(Organization, request.organization_id)
        if organization.staffed and not principal.system:
            raise StaffOrganization
        if not principal.unlimited:
            await self._require_inviting(principal, request)
        if not organization.active:
            raise InvalidState

    async def _require_inviting(self, principal: Principal, request: Onboarded) -> None:
        """Raise Forbidden for those who read the request only by being staff."""
        writing = AccessQuery("organization", request.organization_id, "write")
        (administers,) = await self.permissions.allows(principal, writing)
        if administers:
            return
        member = await self.store.get(User, principal.user_id)
        if request.onboard_type == "provider" or request.organization_id not in member.organizations:
            raise Forbidden
