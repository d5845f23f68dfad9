"""May the caller change this group, and may it be changed at all: refusals in their order (rulings A3, A7, A10)."""

from typing import NamedTuple
from uuid import UUID

from domain.core.errors import Forbidden
from domain.core.ports import Access, AccessQuery, Store
from domain.groups.groups import Group, GroupInactive, GroupNotFound, GroupSystemManaged


class Standing(NamedTuple):
    """What the caller may do. Administrators of the organization and of the system, and services, govern."""

    reads: bool
    writes: bool
    governs: bool


class GroupPermissions:
    """The questions that every command on a group asks first."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def changeable(self, caller_id: UUID, group_id: UUID, *, pointer: str | None = None) -> Group:
        """The group, which the caller may change. `pointer` is where the body names it.

        Raises GroupNotFound (also when the caller may not read it), Forbidden, GroupSystemManaged, GroupInactive.
        """
        group, standing = await self.standing(caller_id, group_id, pointer=pointer)
        if standing.governs and group.system_managed:
            raise GroupSystemManaged(pointer=pointer)
        # who governs may change every active group: if not this one, it was deactivated after it was loaded
        if standing.governs and not (group.active and standing.writes):
            raise GroupInactive(pointer=pointer)
        if not group.active or not standing.reads:
            raise GroupNotFound(pointer=pointer)
        if not standing.writes:
            raise Forbidden(pointer=pointer)
        return group

    async def closable(self, caller_id: UUID, group_id: UUID) -> Group:
        """The group, active or not, which the caller may deactivate: not by leading it (ruling A3).

        Raises GroupNotFound, Forbidden, GroupSystemManaged.
        """
        group, standing = await self.standing(caller_id, group_id)
        if not standing.governs:
            raise Forbidden if standing.reads else GroupNotFound
        if group.system_managed:
            raise GroupSystemManaged
        return group

    async def standing(self, caller_id: UUID, group_id: UUID, *, pointer: str | None = None) -> tuple[Group, Standing]:
        """The group and what the caller may do. Raises GroupNotFound when there is none."""
        group = await self._store.find(Group, group_id)
        if group is None:
            raise GroupNotFound(pointer=pointer)
        reads, writes, governs = await self._access.decide(
            caller_id,
            [
                AccessQuery("group", group_id, "read"),
                AccessQuery("group", group_id, "write"),
                AccessQuery("organization", group.organization_id, "write"),
            ],
        )
        return group, Standing(reads, writes, governs)
