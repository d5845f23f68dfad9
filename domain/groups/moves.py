"""Moves of groups in their organization's tree. A caller requests a move, and a worker carries it out later."""

from collections.abc import Iterable
from uuid import UUID, uuid4

from domain.core.errors import Conflict, Forbidden
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store, retry_on_conflict
from domain.core.principal import Principal
from domain.core.stream_locks import lock_streams
from domain.groups.groups import Group, GroupInactive
from domain.groups.permissions import GroupPermissions
from domain.groups.trees import GroupCycle, GroupTree, TooDeep, tree_id

PARENT = "to_parent_group_id"
"""The argument that refusals about the parent are about."""
JOB_DEAD = "job-dead"
"""The error of a task whose job failed in its last attempt, or no longer exists."""


class ParentElsewhere(Conflict):
    """The new parent belongs to another organization."""


class DivisionUnderGroup(Conflict):
    """The parent of a division must be a division."""


class GroupMoves:
    """Commands that request and finish moves."""

    def __init__(self, store: Store, permissions: Permissions) -> None:
        self._store = store
        self._permissions = permissions
        self._groups = GroupPermissions(store, permissions)

    @retry_on_conflict
    async def request(self, principal: Principal, group_id: UUID, to_parent_group_id: UUID | None) -> tuple[UUID, int]:
        """Create a task that will move the group under the parent (None: to the top). Return its id and the position.

        Raises GroupNotFound, Forbidden, GroupSystemManaged, GroupInactive, ParentElsewhere, DivisionUnderGroup,
        GroupCycle, TooDeep, MoveInProgress.
        """
        group = await self._groups.require_changeable(principal, group_id)
        parent = await self._require_parent(principal, group, to_parent_group_id)
        if parent is not None and group.node_type == "division" and parent.node_type == "group":
            raise DivisionUnderGroup(argument=PARENT)
        task_id = uuid4()
        # `unchanged`: this command conflicts with a concurrent deactivation of the group or the parent
        unchanged = [group] if parent is None else [group, parent]
        async with lock_streams([tree_id(group.organization_id)]):  # an import requests thousands of moves at once
            tree = await self._store.find(GroupTree, tree_id(group.organization_id))
            tree = tree or GroupTree.create(group.organization_id)
            tree.request_move(task_id, group_id, to_parent_group_id, principal.queue_delay)
            return task_id, await self._store.save(tree, unchanged=unchanged, result=task_id)

    @retry_on_conflict
    async def carry_out(self, organization_id: UUID, task_id: UUID) -> int | None:
        """Carry out a requested move, or record why it failed. Return the position, None when it had ended before.

        Only the rules of the tree are checked again; the permission was checked when the move was requested.
        """
        async with lock_streams([tree_id(organization_id)]):
            tree = await self._store.find(GroupTree, tree_id(organization_id))
            group_id = None if tree is None else tree.group_of_move(task_id)
            if tree is None or group_id is None:
                return None
            groups = await self._store.get_many(Group, _group_and_parent(group_id, tree.targets[group_id]))
            try:
                _require_active(groups.values())
                tree.finish_move(group_id)
            except (GroupInactive, GroupCycle, TooDeep) as refusal:
                tree.fail_move(group_id, refusal.code)
            # `unchanged`: this command conflicts with a concurrent deactivation of the group or the parent
            return await self._store.save(tree, unchanged=list(groups.values()))

    @retry_on_conflict
    async def give_up(self, organization_id: UUID, task_id: UUID) -> int | None:
        """Record that the job of a move failed for good. Return the position, None when the move had ended before."""
        tree = await self._store.find(GroupTree, tree_id(organization_id))
        group_id = None if tree is None else tree.group_of_move(task_id)
        if tree is None or group_id is None:
            return None
        tree.fail_move(group_id, JOB_DEAD)
        return await self._store.save(tree)

    async def _require_parent(self, principal: Principal, group: Group, parent_id: UUID | None) -> Group | None:
        if parent_id is None:
            query = AccessQuery("organization", group.organization_id, "write")
            if not all(await self._permissions.allows(principal, query)):
                raise Forbidden(argument=PARENT)
            return None
        parent = await self._groups.require_changeable(principal, parent_id, argument=PARENT)
        if parent.organization_id != group.organization_id:
            raise ParentElsewhere(argument=PARENT)
        return parent


def _group_and_parent(group_id: UUID, parent_id: UUID | None) -> list[UUID]:
    return [group_id] if parent_id is None else [group_id, parent_id]


def _require_active(groups: Iterable[Group]) -> None:
    if not all(group.active for group in groups):
        raise GroupInactive
