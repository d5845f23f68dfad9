"""What a move's job does."""

from typing import Protocol
from uuid import UUID

from domain.group_moves import GroupMoves


class HasMoves(Protocol):
    """As much of the application as a move needs."""

    @property
    def group_moves(self) -> GroupMoves: ...


async def carry_out(identity: HasMoves, organization_id: UUID, task_id: UUID) -> int | None:
    """Finish the task; may be called any number of times. Its events are by whoever is acting when it is called."""
    return await identity.group_moves.carry_out(organization_id, task_id)
