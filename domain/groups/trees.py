"""The tree of an organization's groups: the parent of each group. It alone prevents cycles and limits the depth."""

from collections.abc import Iterator
from dataclasses import field
from typing import ClassVar
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import Conflict

MAX_LEVELS = 32
"""Levels of the tree. Top-level groups are on the first level."""


class GroupCycle(Conflict, code="group-cycle"):
    """The parent is the group itself or is below it."""


class TooDeep(Conflict):
    detail = f"The tree would have more than {MAX_LEVELS} levels."


class MoveInProgress(Conflict, code="move-in-progress"):
    """Another task is moving the group already."""


def tree_id(organization_id: UUID) -> UUID:
    """Return the id of the organization's tree."""
    return uuid5(organization_id, "group-tree")


class GroupTree(Audited):
    """The tree of an organization's groups and the pending moves in it.

    `parents` maps group ids to the ids of their parents; it lacks top-level and inactive groups. `moves` maps the
    groups of pending moves to the ids of their tasks, and `targets` to their new parents, None for the top.
    """

    TOPIC = "group-tree"
    SNAPSHOT_EVERY: ClassVar[int | None] = 100  # the snapshot of 1,000 groups loads in 1 ms, as 100 events do

    organization_id: UUID
    parents: dict[UUID, UUID] = field(default_factory=dict)
    moves: dict[UUID, UUID] = field(default_factory=dict)
    targets: dict[UUID, UUID | None] = field(default_factory=dict)

    class Created(Audited.Created):
        """The tree of an organization was created, with the first move or deactivation in it."""

        TOPIC = "group-tree.created"
        organization_id: UUID

    class MoveRequested(Audited.Event):
        """A caller requested a move; `delay` is the session's simulated queue delay in milliseconds."""

        TOPIC = "group-tree.move-requested"
        organization_id: UUID
        task_id: UUID
        group_id: UUID
        parent_id: UUID | None
        delay: int

    class Moved(Audited.Event):
        """A group and all groups below it were moved under another parent, None for the top."""

        TOPIC = "group-tree.moved"
        organization_id: UUID
        task_id: UUID
        group_id: UUID
        old_parent_id: UUID | None
        parent_id: UUID | None

    class MoveFinishedUnchanged(Audited.Event):
        """A move ended without a change, because the group had that parent already."""

        TOPIC = "group-tree.move-finished-unchanged"
        organization_id: UUID
        task_id: UUID
        group_id: UUID

    class MoveFailed(Audited.Event):
        """A move failed; `error` is the code of the refusal."""

        TOPIC = "group-tree.move-failed"
        organization_id: UUID
        task_id: UUID
        group_id: UUID
        error: str

    class NodeRemoved(Audited.Event):
        """A group without groups below it was deactivated and removed from the tree."""

        TOPIC = "group-tree.node-removed"
        organization_id: UUID
        group_id: UUID

    @classmethod
    def create(cls, organization_id: UUID) -> "GroupTree":
        """Return the tree of an organization in which every group is at the top."""
        return cls._create(cls.Created, id=tree_id(organization_id), organization_id=organization_id)

    def children(self, group_id: UUID) -> list[UUID]:
        """Return the groups directly below the group."""
        return [child for child, parent in self.parents.items() if parent == group_id]

    def group_of_move(self, task_id: UUID) -> UUID | None:
        """Return the group that the task has to move; None when no move of the task is pending."""
        return next((group for group, task in self.moves.items() if task == task_id), None)

    def request_move(self, task_id: UUID, group_id: UUID, parent_id: UUID | None, delay: int) -> None:
        """Request a move, which a task will carry out. The move ends at once when the group has that parent already.

        Raises GroupCycle, TooDeep, MoveInProgress.
        """
        self._require_possible(group_id, parent_id)
        if group_id in self.moves:
            raise MoveInProgress(meta={"task-id": str(self.moves[group_id])})
        self._move_requested(self.organization_id, task_id, group_id, parent_id, delay)
        if self.parents.get(group_id) == parent_id:
            self._move_finished_unchanged(self.organization_id, task_id, group_id)

    def finish_move(self, group_id: UUID) -> None:
        """Carry out the pending move of the group. Raises GroupCycle, TooDeep if the tree changed after the request."""
        task_id, old, new = self.moves[group_id], self.parents.get(group_id), self.targets[group_id]
        self._require_possible(group_id, new)
        if old == new:
            self._move_finished_unchanged(self.organization_id, task_id, group_id)
        else:
            self._moved(self.organization_id, task_id, group_id, old, new)

    def fail_move(self, group_id: UUID, error: str) -> None:
        """Record that the pending move of the group failed; `error` is the code of the refusal."""
        self._move_failed(self.organization_id, self.moves[group_id], group_id, error)

    def remove_node(self, group_id: UUID) -> None:
        """Remove a group that has no groups below it. A pending move of the group fails later."""
        assert not self.children(group_id)
        if group_id in self.parents:
            self._node_removed(self.organization_id, group_id)

    def _require_possible(self, group_id: UUID, parent_id: UUID | None) -> None:
        if parent_id is None:
            return  # a move to the top makes no cycle and no level deeper
        ancestors = list(self._path_to_top(parent_id))
        if group_id in ancestors:
            raise GroupCycle
        if len(ancestors) + self._levels(group_id) > MAX_LEVELS:
            raise TooDeep

    def _path_to_top(self, group_id: UUID) -> Iterator[UUID]:
        """Yield the group and its ancestors, the nearest first."""
        current: UUID | None = group_id
        while current is not None:
            yield current
            current = self.parents.get(current)

    def _levels(self, group_id: UUID) -> int:
        """Return the number of levels of the group's subtree, the group's own level included."""
        children: dict[UUID, list[UUID]] = {}
        for child, parent in self.parents.items():
            children.setdefault(parent, []).append(child)
        levels, level = 0, [group_id]
        while level:
            levels += 1
            level = [child for node in level for child in children.get(node, ())]
        return levels

    @event(MoveRequested)
    def _move_requested(
        self,
        organization_id: UUID,  # noqa: ARG002
        task_id: UUID,
        group_id: UUID,
        parent_id: UUID | None,
        delay: int,  # noqa: ARG002
    ) -> None:
        self.moves[group_id] = task_id
        self.targets[group_id] = parent_id

    @event(Moved)
    def _moved(
        self,
        organization_id: UUID,  # noqa: ARG002
        task_id: UUID,  # noqa: ARG002
        group_id: UUID,
        old_parent_id: UUID | None,  # noqa: ARG002
        parent_id: UUID | None,
    ) -> None:
        self.parents.pop(group_id, None)
        if parent_id is not None:
            self.parents[group_id] = parent_id
        self.moves.pop(group_id, None)
        self.targets.pop(group_id, None)

    @event(MoveFinishedUnchanged)
    def _move_finished_unchanged(self, organization_id: UUID, task_id: UUID, group_id: UUID) -> None:  # noqa: ARG002
        self.moves.pop(group_id, None)
        self.targets.pop(group_id, None)

    @event(MoveFailed)
    def _move_failed(self, organization_id: UUID, task_id: UUID, group_id: UUID, error: str) -> None:  # noqa: ARG002
        self.moves.pop(group_id, None)
        self.targets.pop(group_id, None)

    @event(NodeRemoved)
    def _node_removed(self, organization_id: UUID, group_id: UUID) -> None:  # noqa: ARG002
        self.parents.pop(group_id, None)
