"""The tree of an organization's groups: who stands under whom. It alone decides cycles, depth and nesting."""

from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.audited import Audited


def tree_id(organization_id: UUID) -> UUID:
    """The stream of an organization's tree."""
    return uuid5(organization_id, "group-tree")


class GroupTree(Audited):
    """`parents` by group id (top-level groups are absent); `moves` are pending: group id to task id."""

    TOPIC = "group-tree"

    organization_id: UUID
    parents: dict[UUID, UUID]
    moves: dict[UUID, UUID]
    targets: dict[UUID, UUID | None]

    class Created(Audited.Created):
        """Made with the first move in an organization."""

        TOPIC = "group-tree.planted"
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

    @event(Created)
    def __init__(self, organization_id: UUID) -> None:
        self.organization_id = organization_id
        self.parents = {}
        self.moves = {}
        self.targets = {}

    @event(MoveRequested)
    def _move_requested(
        self,
        organization_id: UUID,
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
