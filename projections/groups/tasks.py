"""Background tasks and how they ended. The only kind so far is the move of a group."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.core.recorded import Recorded
from domain.groups.trees import GroupTree
from projections.core.projection import Projection


class TaskRow(NamedTuple):
    """`finished_position` is that of the event it ended in."""

    task_id: UUID
    kind: str
    state: str
    created_by: UUID | None
    created_at: datetime
    finished_at: datetime | None
    finished_position: int | None
    error: str | None


class TasksProjection(Projection):
    """A row per task: made when it is requested, changed once."""

    name = "tasks"
    version = 2
    events = (
        GroupTree.MoveRequested,
        GroupTree.Moved,
        GroupTree.MoveFinishedUnchanged,
        GroupTree.MoveFailed,
    )

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """Requests first: a task may begin and end in one batch."""
        requested: list[Any] = [each for each in events if isinstance(each.event, GroupTree.MoveRequested)]
        ended: list[Any] = [each for each in events if not isinstance(each.event, GroupTree.MoveRequested)]
        if requested:
            tasks = [each.event for each in requested]
            await cursor.execute(
                _REQUEST,
                (
                    [each.task_id for each in tasks],
                    [each.by.actor for each in tasks],
                    _times(requested),
                    [each.organization_id for each in tasks],
                    [each.position for each in requested],
                ),
            )
        if ended:
            errors = [getattr(each.event, "error", None) for each in ended]
            tasks = [each.event.task_id for each in ended]
            await cursor.execute(_END, (tasks, _times(ended), [each.position for each in ended], errors))


async def task(cursor: AsyncCursor, task_id: UUID) -> TaskRow | None:
    """One task, None when there is none of this id."""
    rows = cursor.connection.cursor(row_factory=class_row(TaskRow))
    await rows.execute(_ONE, (task_id,))
    return await rows.fetchone()


def _times(recorded: Sequence[Any]) -> list[datetime]:
    return [each.event.timestamp for each in recorded]


_REQUEST = """
INSERT INTO tasks (task_id, kind, state, created_by, created_at, organization_id, requested_position)
SELECT id, 'move-group', 'pending', actor, at, organization, position
FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::uuid[], %s::bigint[])
    AS new(id, actor, at, organization, position)
"""
_END = """
UPDATE tasks t SET state = CASE WHEN ended.error IS NULL THEN 'done' ELSE 'failed' END, finished_at = ended.at,
                   finished_position = ended.position, error = ended.error
FROM unnest(%s::uuid[], %s::timestamptz[], %s::bigint[], %s::text[]) AS ended(id, at, position, error)
WHERE t.task_id = ended.id
"""
_ONE = """
SELECT task_id, kind, state, created_by, created_at, finished_at, finished_position, error FROM tasks WHERE task_id = %s
"""
