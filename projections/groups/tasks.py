"""Background tasks and how they ended. The only kind so far is the move of a group."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.core.recorded import Recorded
from domain.groups.trees import GroupTree
from projections.core.event_rows import BeginningsAndEnds
from projections.core.fold import handler
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


class TasksFold(BeginningsAndEnds):
    @handler
    def request(self, event: GroupTree.MoveRequested) -> None:
        self.begun.append(
            {
                "task_id": event.task_id,
                "kind": "move-group",
                "state": "pending",
                "created_by": event.by.actor,
                "created_at": event.timestamp,
                "organization_id": event.organization_id,
                "requested_position": self.position,
            }
        )

    @handler
    def finish(self, event: GroupTree.Moved | GroupTree.MoveFinishedUnchanged) -> None:
        self._end(event, "done", None)

    @handler
    def fail(self, event: GroupTree.MoveFailed) -> None:
        self._end(event, "failed", event.error)

    def _end(self, event: Any, state: str, error: str | None) -> None:
        end = {"finished_at": event.timestamp, "finished_position": self.position}
        self.ended.append({"task_id": event.task_id, "state": state, "error": error, **end})


class TasksProjection(Projection):
    """A row per task: made when it is requested, changed once."""

    name = "tasks"
    version = 2
    events = TasksFold.events

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        fold = await TasksFold().add_all(events)
        await fold.write(cursor, "tasks", ("task_id",))


async def task(cursor: AsyncCursor, task_id: UUID) -> TaskRow | None:
    """Return one task, None when there is none of this id."""
    rows = cursor.connection.cursor(row_factory=class_row(TaskRow))
    await rows.execute(_ONE, (task_id,))
    return await rows.fetchone()


_ONE = """
SELECT task_id, kind, state, created_by, created_at, finished_at, finished_position, error FROM tasks WHERE task_id = %s
"""
