"""What happens outside because of something in the log: followers whose only tables are those of the job queue.

The jobs stand in the transaction that moves the position: each reaction happens exactly once, each job at least once.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from psycopg import AsyncCursor

from domain.core.errors import DomainError
from domain.core.recorded import Event, Recorded
from domain.groups.trees import GroupTree
from projections.core.projection import Mode, Projection
from workers.jobs import queue
from workers.jobs.kinds import MOVE_GROUP


class MovesReaction:
    """A requested move of a group is carried out by a job, later by as much as the session asked for."""

    name: ClassVar[str] = "reaction_moves"
    version: ClassVar[int] = 1
    mode: ClassVar[Mode] = Mode.BACKGROUND
    tables: ClassVar[tuple[str, ...]] = ()
    unique_violations: ClassVar[dict[str, type[DomainError]]] = {}
    events: ClassVar[tuple[type[Event], ...] | None] = (GroupTree.MoveRequested,)

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        await queue.enqueue(cursor.connection, [_move(recorded) for recorded in events])


def reactions() -> list[Projection]:
    """All of them."""
    return [MovesReaction()]


def _move(recorded: Recorded) -> queue.Job:
    requested = recorded.event
    assert isinstance(requested, GroupTree.MoveRequested)
    return queue.Job(
        MOVE_GROUP,
        {"organization_id": requested.organization_id, "task_id": requested.task_id},
        replace(requested.by, causation=recorded.position),
        due=requested.timestamp + timedelta(milliseconds=requested.delay) if requested.delay else None,
    )
