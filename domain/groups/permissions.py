"""May the principal change this group, and may it be changed at all: refusals in their order (rulings A3, A7, A10)."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.core.errors import Forbidden
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store
from domain.core.principal import Principal
from domain.groups.groups import Group, GroupInactive, GroupNotFound, GroupSystemManaged


class GroupRights(NamedTuple):
    """What the principal may do. Administrators of the organization and of the system, and services, govern."""

    reads: bool
    writes: bool
    governs: bool


@dataclass(frozen=True, eq=False)
class GroupPermissions:
    """The questions that every command on a group asks first."""

    store: Store
    permissions: Permissions

    async def require_changeable(self, principal: Principal, group_id: UUID, *, argument: str | None = None) -> Group:
        """Return the group, which the principal may change. `argument` is what names it.

        Raises GroupNotFound (also when the principal may not read it), Forbidden, GroupSystemManaged, GroupInactive.
        """
        group, rights = await self._rights(principal, group_id, argument=argument)
        if rights.governs and group.system_managed:
            raise GroupSystemManaged(argument=argument)
        # an administrator may change every active group: if not this one, it was deactivated after it was loaded
        if rights.governs and not (group.active and rights.writes):
            raise GroupInactive(argument=argument)
        if not group.active or not rights.reads:
            raise GroupNotFound(argument=argument)
        if not rights.writes:
            raise Forbidden(argument=argument)
        return group

    async def require_closable(self, principal: Principal, group_id: UUID) -> Group:
        """Return the group, active or not, which the principal may deactivate: not by leading it (ruling A3).

        Raises GroupNotFound, Forbidden, GroupSystemManaged.
        """
        group, rights = await self._rights(principal, group_id)
        if not rights.governs:
            raise Forbidden if rights.reads else GroupNotFound
        if group.system_managed:
            raise GroupSystemManaged
        return group

    async def _rights(
        self, principal: Principal, group_id: UUID, *, argument: str | None = None
    ) -> tuple[Group, GroupRights]:
        group = await self.store.find(Group, group_id)
        if group is None:
            raise GroupNotFound(argument=argument)
        rights = await self.permissions.allows(
            principal,
            AccessQuery("group", group_id, "read"),
            AccessQuery("group", group_id, "write"),
            AccessQuery("organization", group.organization_id, "write"),
        )
        return group, GroupRights(*rights)
