"""Commands on groups: making, changing and deactivating them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from domain.core.ids import new_id
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store, retry_on_conflict
from domain.core.principal import Principal
from domain.groups.groups import Group, GroupNotEmpty, GroupType, NodeType
from domain.groups.permissions import GroupPermissions
from domain.groups.roster_commands import NOTHING, Change, Roster, RosterEditor
from domain.groups.trees import GroupTree, tree_id
from domain.people.directory import Directory

LEADERS, INDIVIDUALS = "leader_ids", "individual_ids"
"""Arguments that refusals name."""


class Groups:
    """Commands on groups. Each answers the position that shows it."""

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
        """A new top-level group with the people named, all or nothing: its id and the position.

        Raises NotFound, Forbidden, UserNotFound, IndividualNotFound, NotEligible, GroupProviderOnly.
        """
        governs = AccessQuery("organization", organization_id, "write")
        await self._permissions.require(principal, governs, argument="organization_id")
        group = Group.make(new_id(), organization_id, name, node_type=node_type, type=type, tags=tags)
        leaders = await self._editor.require_readable(principal, leader_ids, LEADERS)
        await self._editor.require_writable(principal, individual_ids, INDIVIDUALS)
        led = await self._editor.add_user_entries(Roster.of(group, "leader"), leaders, LEADERS)
        placed = await self._editor.add_individual_entries(Roster.of(group, "individual"), individual_ids, INDIVIDUALS)
        return group.id, await self._store.save(group, *led.entries, *placed, unchanged=led.rests_on, result=group.id)

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
        """Change what is given. `leader_ids` are all leaders from now on; those who lead already need not be eligible.

        Raises GroupNotFound, Forbidden, GroupSystemManaged, GroupInactive, UserNotFound, NotEligible.
        """
        group = await self._groups.require_changeable(principal, group_id)
        led = NOTHING if leader_ids is None else await self._replaced_leaders(principal, group, leader_ids)
        if name is not None:
            group.rename(name)
        if tags is not None:
            group.tag(tags)
        if any(entry.pending_events for entry in led.entries):
            group.leaders_replaced()
        return await self._store.save(group, *led.entries, unchanged=led.rests_on)

    @retry_on_conflict
    async def deactivate(self, principal: Principal, group_id: UUID) -> int:
        """End the group and every right that rests on it; its rosters stay as they were.

        Raises GroupNotFound, Forbidden, GroupSystemManaged, GroupNotEmpty.
        """
        group = await self._groups.require_closable(principal, group_id)
        if not group.active:
            return await self._store.save(group)
        # Without a tree yet one is planted, so that a first move at this moment makes one of the two lose the race.
        tree = await self._store.find(GroupTree, tree_id(group.organization_id))
        tree = tree or GroupTree.create(group.organization_id)
        if tree.children(group_id):
            raise GroupNotEmpty
        tree.remove_node(group_id)
        group.deactivate()
        return await self._store.save(group, tree, unchanged=[] if tree.pending_events else [tree])

    async def _replaced_leaders(self, principal: Principal, group: Group, leader_ids: Sequence[UUID]) -> Change:
        roster = Roster.of(group, "leader")
        leaders = await self._editor.require_readable(principal, leader_ids, LEADERS)
        added = await self._editor.add_user_entries(roster, leaders, LEADERS)
        going = set(await self._directory.leaders(group.id)) - set(leader_ids)
        return Change([*await self._editor.remove(roster, sorted(going)), *added.entries], added.rests_on)
