"""Whether a principal may change a group, and whether its state allows that (rulings A3, A7, A10)."""

import asyncio
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

    group: Group
    reads: bool
    writes: bool
    administers: bool

    def require_changeable(self, argument: str | None = None) -> None:
        """Raise GroupNotFound (also when the principal may not read it), Forbidden, GroupSystemManaged, GroupInactive.

        `argument` is the argument with the group's id.
        """
        if self.administers and self.group.system_managed:
            raise GroupSystemManaged(argument=argument)
        # An administrator may change every active group. If this group is not writable, it was deactivated after it
        # was loaded.
        if self.administers and not (self.group.active and self.writes):
            raise GroupInactive(argument=argument)
        if not self.group.active or not self.reads:
            raise GroupNotFound(argument=argument)
        if not self.writes:
            raise Forbidden(argument=argument)


@dataclass(frozen=True, eq=False)
class GroupPermissions:
    """The checks with which every command on a group begins. They raise refusals in the order of ruling A10."""

    store: Store
    permissions: Permissions

    async def require_changeable(self, principal: Principal, group_id: UUID, *, argument: str | None = None) -> Group:
        """Return the group if the principal may change it. Raises what `GroupRights.require_changeable` raises."""
        group, (writes,) = await asyncio.gather(
            self.store.find(Group, group_id), self.permissions.allows(principal, writing(group_id))
        )
        return await self.require_changeable_as_read(principal, group, writes=writes, argument=argument)

    async def require_changeable_as_read(
        self, principal: Principal, group: Group | None, *, writes: bool, argument: str | None = None
    ) -> Group:
        """Do the same with a group and a right that were read at the same time, to save a round trip.

        Only the refusals, and groups that the system manages, depend on more than the right to write.
        """
        if group is not None and group.active and writes and not group.system_managed:
            return group
        rights = await self._rights(principal, group, argument)
        rights.require_changeable(argument)
        return rights.group

    async def require_deactivatable(self, principal: Principal, group_id: UUID) -> Group:
        """Return the group, active or not, if the principal may deactivate it; its leaders may not (ruling A3).

        Raises GroupNotFound, Forbidden, GroupSystemManaged.
        """
        rights = await self._rights(principal, await self.store.find(Group, group_id))
        if not rights.administers:
            raise Forbidden if rights.reads else GroupNotFound
        if rights.group.system_managed:
            raise GroupSystemManaged
        return rights.group

    async def require_readable(self, principal: Principal, group_id: UUID, *, argument: str | None = None) -> Group:
        """Return the group if the principal may read it, or administers it while it is inactive. Raises GroupNotFound.

        Commands that name a group without changing it begin with this.
        """
        rights = await self._rights(principal, await self.store.find(Group, group_id), argument)
        if not (rights.reads or rights.administers):
            raise GroupNotFound(argument=argument)
        return rights.group

    async def _rights(self, principal: Principal, group: Group | None, argument: str | None = None) -> GroupRights:
        """Return what the principal may do with the group. Raises GroupNotFound when there is no group.

        Whoever may write a group may read it, so reading is asked only after a no.
        """
        if group is None:
            raise GroupNotFound(argument=argument)
        writes, administers = await self.permissions.allows(
            principal, writing(group.id), AccessQuery("organization", group.organization_id, "write")
        )
        reads = writes or all(await self.permissions.allows(principal, AccessQuery("group", group.id, "read")))
        return GroupRights(group, reads, writes, administers)


def writing(group_id: UUID) -> AccessQuery:
    """Return the question whether somebody may change the group."""
    return AccessQuery("group", group_id, "write")
