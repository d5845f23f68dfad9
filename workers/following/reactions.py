"""Reactions to events: followers that write only to the job queue.

Jobs are enqueued in the transaction that moves the position: each reaction runs exactly once, each job at least once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.recorded import Recorded
from domain.groups.trees import GroupTree
from domain.onboarding.requests import OnboardingRequest
from projections.core.projection import Projection
from workers.jobs import queue
from workers.jobs.kinds import MOVE_GROUP, SEND_INVITATION


class Reaction(Projection):
    """Base of all: each of the `events` becomes a job of the kind `task`, done in the event's own circumstances."""

    tables = ()
    task: str

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        await queue.enqueue(cursor.connection, [self._job(recorded) for recorded in events])

    def arguments(self, event: Any) -> Mapping[str, UUID]:
        """Return what the job's commands are called with."""
        raise NotImplementedError

    def due(self, event: Any) -> datetime | None:  # noqa: ARG002 - for those that wait
        """Return when the job is to be done, None for at once."""
        return None

    def _job(self, recorded: Recorded) -> queue.Job:
        event: Any = recorded.event
        by = replace(event.by, causation=recorded.position)
        return queue.Job(self.task, self.arguments(event), by, self.due(event))


class MovesReaction(Reaction):
    """A requested move of a group is carried out by a job, later by as much as the session asked for."""

    name = "reaction_moves"
    task = MOVE_GROUP
    events = (GroupTree.MoveRequested,)

    def arguments(self, event: GroupTree.MoveRequested) -> Mapping[str, UUID]:
        return {"organization_id": event.organization_id, "task_id": event.task_id}

    def due(self, event: GroupTree.MoveRequested) -> datetime | None:
        return event.timestamp + timedelta(milliseconds=event.delay) if event.delay else None


class InvitationsReaction(Reaction):
    """An invitation that is issued is sent by a job."""

    name = "reaction_invitations"
    task = SEND_INVITATION
    events = (OnboardingRequest.InvitationIssued,)

    def arguments(self, event: OnboardingRequest.InvitationIssued) -> Mapping[str, UUID]:
        return {"request_id": event.originator_id, "message_id": event.message_id}


def reactions() -> list[Projection]:
    """All of them."""
    return [MovesReaction(), InvitationsReaction()]
