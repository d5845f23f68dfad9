"""Whether a principal may change a group, and whether its state allows that (rulings A3, A7, A10)."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.core.errors import Forbidden
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store
from domain.core.principal import Principal
from domain.groups.groups import Group, GroupInactive, GroupNotFound, GroupSystemManaged


class GroupRights(NamedTuple):
    """What a principal may do with a group.

    `administers` is true for administrators of the group's organization, system administrators and services.
    """

    reads: bool
    writes: bool
    administers: bool


@dataclass(frozen=True, eq=False)
class GroupPermissions:
    """The checks with which every command on a group begins. They raise refusals in the order of ruling A10."""

    store: Store
    permissions: Permissions

    async def require_changeable(self, principal: Principal, group_id: UUID, *, argument: str | None = None) -> Group:
        """Return the group if the principal may change it. `argument` is the argument with its id.

        Raises GroupNotFound (also when the principal may not read it), Forbidden, GroupSystemManaged, GroupInactive.
        """
        group, rights = await self._rights(principal, group_id, argument=argument)
        if rights.administers and group.system_managed:
            raise GroupSystemManaged(argument=argument)
        # An administrator may change every active group. If this group is not writable, it was deactivated after it
        # was loaded.
        if rights.administers and not (group.active and rights.writes):
            raise GroupInactive(argument=argument)
        if not group.active or not rights.reads:
            raise GroupNotFound(argument=argument)
        if not rights.writes:
            raise Forbidden(argument=argument)
        return group

    async def require_deactivatable(self, principal: Principal, group_id: UUID) -> Group:
        """Return the group, active or not, if the principal may deactivate it; its leaders may not (ruling A3).

        Raises GroupNotFound, Forbidden, GroupSystemManaged.
        """
        group, rights = await self._rights(principal, group_id)
        if not rights.administers:
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
