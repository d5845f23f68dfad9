"""The tree of an organization's groups: who stands under whom. It alone decides cycles, depth and nesting."""

from collections.abc import Iterator
from dataclasses import field
from typing import ClassVar
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import Conflict

DEEPEST = 32
"""Levels from a top-level node, which stands on the first, to the lowest one."""


class GroupCycle(Conflict, code="group-cycle"):
    detail = "A group cannot stand under itself or under one that stands under it."


class TooDeep(Conflict):
    detail = f"The tree has no more than {DEEPEST} levels."


class MoveInProgress(Conflict, code="move-in-progress"):
    detail = "The group is being moved already."


def tree_id(organization_id: UUID) -> UUID:
    """The stream of an organization's tree."""
    return uuid5(organization_id, "group-tree")


class GroupTree(Audited):
    """`parents` by group id: top-level groups are absent, inactive ones too.

    `moves` are pending: group id to task id; `targets` are the parents wanted, None for the top.
    """

    TOPIC = "group-tree"
    SNAPSHOT_EVERY: ClassVar[int | None] = 100  # one of 1,000 groups loads in 1 ms, as 100 events do

    organization_id: UUID
    parents: dict[UUID, UUID] = field(default_factory=dict)
    moves: dict[UUID, UUID] = field(default_factory=dict)
    targets: dict[UUID, UUID | None] = field(default_factory=dict)

    class Created(Audited.Created):
        """Made with the first move in an organization."""

        TOPIC = "group-tree.created"
        organization_id: UUID

    class MoveRequested(Audited.Event):
        """`delay` is the session's simulated queue delay in milliseconds."""

        TOPIC = "group-tree.move-requested"
        organization_id: UUID
        task_id: UUID
        group_id: UUID
        parent_id: UUID | None
        delay: int

    class Moved(Audited.Event):
        """One group now stands under another (None: at the top); with it everything below it."""

        TOPIC = "group-tree.moved"
        organization_id: UUID
        task_id: UUID
        group_id: UUID
        old_parent_id: UUID | None
        parent_id: UUID | None

    class MoveFinishedUnchanged(Audited.Event):
        """The group stood there already."""

        TOPIC = "group-tree.move-finished-unchanged"
        organization_id: UUID
        task_id: UUID
        group_id: UUID

    class MoveFailed(Audited.Event):
        TOPIC = "group-tree.move-failed"
        organization_id: UUID
        task_id: UUID
        group_id: UUID
        error: str

    class NodeRemoved(Audited.Event):
        """A group without others under it was deactivated and left the tree."""

        TOPIC = "group-tree.node-removed"
        organization_id: UUID
        group_id: UUID

    @classmethod
    def create(cls, organization_id: UUID) -> "GroupTree":
        """The tree of an organization in which every group still stands at the top."""
        return cls._create(cls.Created, id=tree_id(organization_id), organization_id=organization_id)

    def children(self, group_id: UUID) -> list[UUID]:
        """The groups directly under it."""
        return [child for child, parent in self.parents.items() if parent == group_id]

    def moved_by(self, task_id: UUID) -> UUID | None:
        """The group whose move this task still has to carry out."""
        return next((group for group, task in self.moves.items() if task == task_id), None)

    def request_move(self, task_id: UUID, group_id: UUID, parent_id: UUID | None, delay: int) -> None:
        """Let a task move it; one that stands there already is done at once.

        Raises GroupCycle, TooDeep, MoveInProgress.
        """
        self._require_possible(group_id, parent_id)
        if group_id in self.moves:
            raise MoveInProgress(meta={"task-id": str(self.moves[group_id])})
        self._move_requested(self.organization_id, task_id, group_id, parent_id, delay)
        if self.parents.get(group_id) == parent_id:
            self._move_finished_unchanged(self.organization_id, task_id, group_id)

    def finish_move(self, group_id: UUID) -> None:
        """Move it where its task wants it. Raises GroupCycle, TooDeep: the tree has changed since the request."""
        task_id, old, new = self.moves[group_id], self.parents.get(group_id), self.targets[group_id]
        self._require_possible(group_id, new)
        if old == new:
            self._move_finished_unchanged(self.organization_id, task_id, group_id)
        else:
            self._moved(self.organization_id, task_id, group_id, old, new)

    def fail_move(self, group_id: UUID, error: str) -> None:
        """End its task; `error` is the code of the refusal."""
        self._move_failed(self.organization_id, self.moves[group_id], group_id, error)

    def remove_node(self, group_id: UUID) -> None:
        """Take out a group that nothing stands under; a pending move of it fails later."""
        assert not self.children(group_id)
        if group_id in self.parents:
            self._node_removed(self.organization_id, group_id)

    def _require_possible(self, group_id: UUID, parent_id: UUID | None) -> None:
        if parent_id is None:
            return  # a subtree only gains levels under something
        above = list(self._upwards(parent_id))
        if group_id in above:
            raise GroupCycle
        if len(above) + self._levels(group_id) > DEEPEST:
            raise TooDeep

    def _upwards(self, group_id: UUID) -> Iterator[UUID]:
        standing: UUID | None = group_id
        while standing is not None:
            yield standing
            standing = self.parents.get(standing)

    def _levels(self, group_id: UUID) -> int:
        """Levels of the subtree, its root included."""
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
