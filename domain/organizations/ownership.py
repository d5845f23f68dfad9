"""Who may write the records of an organization or of a theme (rulings L16, L17, L30, L54)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.core.audited import Audited
from domain.core.errors import Forbidden, InvalidState, NotFound
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store
from domain.core.principal import Principal
from domain.core.records import Owner
from domain.organizations.organizations import Organization
from domain.organizations.themes import Theme


class Owned(Protocol):
    """The fields of a record that belongs to an organization or to a theme: exactly one of the two ids is set."""

    @property
    def organization_id(self) -> UUID | None: ...
    @property
    def theme_id(self) -> UUID | None: ...


@dataclass(frozen=True, eq=False)
class OrganizationOwner(Owner):
    """Lets administrators write the records of their organization; staff and services only read them.

    Only system administrators write the records of a theme. In an inactive organization, only system administrators
    find the records, and may only delete them.
    """

    store: Store
    permissions: Permissions

    async def require_creation(self, principal: Principal, fields: Owned) -> Sequence[Audited]:
        """As in `domain.core.records.Owner`."""
        if fields.organization_id is not None:
            await self.permissions.require_administrator(principal, fields.organization_id, argument="organization_id")
        elif not principal.system:
            raise Forbidden(argument="theme_id") if principal.staff else NotFound(argument="theme_id")
        return await self._active(fields)

    async def require_change(self, principal: Principal, fields: Owned) -> Sequence[Audited]:
        """As in `domain.core.records.Owner`."""
        await self.require_deletion(principal, fields)
        return await self._active(fields)

    async def require_deletion(self, principal: Principal, fields: Owned) -> None:
        """As in `domain.core.records.Owner`."""
        if principal.system:
            return
        readable = principal.reads_all
        if fields.organization_id is not None:
            read = AccessQuery("organization", fields.organization_id, "read")
            (readable,) = await self.permissions.allows(principal, read)
            (writable,) = await self.permissions.allows(principal, read._replace(operation="write"))
            if writable and not principal.service:
                return
        raise Forbidden if readable and principal.reads_all else NotFound

    async def _active(self, fields: Owned) -> list[Audited]:
        """Return the organization or the theme. Raises NotFound, or InvalidState when it is not active."""
        if fields.organization_id is not None:
            return [await require_active_organization(self.store, fields.organization_id)]
        assert fields.theme_id is not None
        theme = await self.store.find(Theme, fields.theme_id)
        if theme is None:
            raise NotFound(argument="theme_id")
        theme.require_active(argument="theme_id")
        return [theme]


async def require_active_organization(store: Store, organization_id: UUID) -> Organization:
    """Return the organization. Raises NotFound, or InvalidState when it is not active (ruling L17)."""
    organization = await store.find(Organization, organization_id)
    if organization is None:
        raise NotFound(argument="organization_id")
    if not organization.active:
        raise InvalidState(argument="organization_id")
    return organization
