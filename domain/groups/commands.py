"""Commands that create, change and deactivate groups."""

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid4

from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store, retry_on_conflict
from domain.core.principal import Principal
from domain.groups.groups import Group, GroupNotEmpty, GroupType, NodeType
from domain.groups.permissions import GroupPermissions
from domain.groups.roster_editor import NO_CHANGE, Roster, RosterChange, RosterEditor
from domain.groups.trees import GroupTree, tree_id
from domain.people.directory import Directory

LEADERS, INDIVIDUALS = "leader_ids", "individual_ids"
"""Arguments that refusals are about."""


class Groups:
    """Commands on groups. Each returns the position of its events."""

    def __init__(self, store: Store, directory: Directory, permissions: Permissions) -> None:
        self._store = store
        self._directory = directory
        self._permissions = permissions
        self._groups = GroupPermissions(store, permissions)
        self._editor = RosterEditor(store, permissions)

    @retry_on_conflict
    async def create(
        self,
        principal: Principal,
        organization_id: UUID,
        name: str,
        *,
        node_type: NodeType = "group",
        type: GroupType = "regular",  # noqa: A002
        tags: Iterable[str] = (),
        leader_ids: Sequence[UUID] = (),
        individual_ids: Sequence[UUID] = (),
    ) -> tuple[UUID, int]:
        """Create a top-level group with these leaders and individuals, all or none. Return its id and the position.

        Raises NotFound, Forbidden, UserNotFound, IndividualNotFound, NotEligible, GroupProviderOnly.
        """
        administers = AccessQuery("organization", organization_id, "write")
        await self._permissions.require(principal, administers, argument="organization_id")
        group = Group.create(uuid4(), organization_id, name, node_type=node_type, type=type, tags=tags)
        leaders = await self._editor.require_readable(principal, leader_ids, LEADERS)
        await self._editor.require_writable(principal, individual_ids, INDIVIDUALS)
        leading = await self._editor.add_user_entries(Roster.of(group, "leader"), leaders, LEADERS)
        roster = Roster.of(group, "individual")
        individual_entries = await self._editor.add_individual_entries(roster, individual_ids, INDIVIDUALS)
        entries = [*leading.entries, *individual_entries]
        return group.id, await self._store.save(group, *entries, unchanged=leading.rests_on, result=group.id)

    @retry_on_conflict
    async def change(
        self,
        principal: Principal,
        group_id: UUID,
        *,
        name: str | None = None,
        tags: Iterable[str] | None = None,
        leader_ids: Sequence[UUID] | None = None,
    ) -> int:
        """Change the given attributes. `leader_ids` replaces all leaders; present leaders need not be eligible.

        Raises GroupNotFound, Forbidden, GroupSystemManaged, GroupInactive, UserNotFound, NotEligible.
        """
        group = await self._groups.require_changeable(principal, group_id)
        leading = NO_CHANGE if leader_ids is None else await self._replace_leaders(principal, group, leader_ids)
        if name is not None:
            group.rename(name)
        if tags is not None:
            group.change_tags(tags)
        if any(entry.pending_events for entry in leading.entries):
            group.record_leaders_replaced()
        return await self._store.save(group, *leading.entries, unchanged=leading.rests_on)

    @retry_on_conflict
    async def deactivate(self, principal: Principal, group_id: UUID) -> int:
        """Deactivate the group, which ends every right that rests on it; its rosters stay as they are.

        Raises GroupNotFound, Forbidden, GroupSystemManaged, GroupNotEmpty.
        """
        group = await self._groups.require_deactivatable(principal, group_id)
        if not group.active:
            return await self._store.save(group)
        # Create the tree if it does not exist yet, so that this command conflicts with a concurrent first move.
        tree = await self._store.find(GroupTree, tree_id(group.organization_id))
        tree = tree or GroupTree.create(group.organization_id)
        if tree.children(group_id):
            raise GroupNotEmpty
        tree.remove_node(group_id)
        group.deactivate()
        return await self._store.save(group, tree, unchanged=[] if tree.pending_events else [tree])

    async def _replace_leaders(self, principal: Principal, group: Group, leader_ids: Sequence[UUID]) -> RosterChange:
        roster = Roster.of(group, "leader")
        leaders = await self._editor.require_readable(principal, leader_ids, LEADERS)
        added = await self._editor.add_user_entries(roster, leaders, LEADERS)
        former_leaders = set(await self._directory.leaders(group.id)) - set(leader_ids)
        removed = await self._editor.remove(roster, sorted(former_leaders))
        return RosterChange([*removed, *added.entries], added.rests_on)
