"""What a move's job does, and what its death records."""

from typing import LiteralString, Protocol
from uuid import UUID

from domain.groups.moves import GroupMoves


class HasMoves(Protocol):
    """As much of the application as a move needs."""

    @property
    def group_moves(self) -> GroupMoves: ...


async def carry_out(identity: HasMoves, organization_id: UUID, task_id: UUID) -> int | None:
    """Finish the task; may be called any number of times. Its events are by whoever is acting when it is called."""
    return await identity.group_moves.carry_out(organization_id, task_id)


async def give_up(identity: HasMoves, organization_id: UUID, task_id: UUID) -> int | None:
    """Record that the task failed, so that the group can be moved again; may be called any number of times."""
    return await identity.group_moves.give_up(organization_id, task_id)


# A task that the reaction has not come to yet has no job yet.
UNFINISHED: LiteralString = """
SELECT jsonb_build_object('organization_id', organization_id, 'task_id', task_id) FROM tasks
WHERE kind = 'move-group' AND state = 'pending'
    AND requested_position <= (SELECT position FROM projections WHERE name = 'reaction_moves')
"""
