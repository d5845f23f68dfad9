"""Reactions to events: followers that write only to the job queue.

They enqueue jobs in the transaction that moves their position: each event is enqueued exactly once, and each job runs
at least once.
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
from domain.people.security_notices import SecurityNotice
from domain.people.verification_codes import VerificationCodes
from projections.core.projection import Projection
from workers.jobs import queue
from workers.jobs.kinds import MOVE_GROUP, SEND_CODE, SEND_INVITATION, SEND_NOTICE


class Reaction(Projection):
    """Base class: it enqueues a job of the kind `task` for each of the `events`, with the event's audit context."""

    tables = ()
    task: str

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        await queue.enqueue(cursor.connection, [self._job(recorded) for recorded in events])

    def arguments(self, event: Any) -> Mapping[str, UUID]:
        """Return the arguments of the job for this event."""
        raise NotImplementedError

    def due(self, event: Any) -> datetime | None:  # noqa: ARG002 - reactions that delay a job use it
        """Return the time at which the job is due, or None for at once."""
        return None

    def _job(self, recorded: Recorded) -> queue.Job:
        event: Any = recorded.event
        by = replace(event.by, causation=recorded.position)
        return queue.Job(self.task, self.arguments(event), by, self.due(event))


class MovesReaction(Reaction):
    """Enqueues a job for each requested move of a group, due after the delay that the request asked for."""

    name = "reaction_moves"
    task = MOVE_GROUP
    events = (GroupTree.MoveRequested,)

    def arguments(self, event: GroupTree.MoveRequested) -> Mapping[str, UUID]:
        return {"organization_id": event.organization_id, "task_id": event.task_id}

    def due(self, event: GroupTree.MoveRequested) -> datetime | None:
        return event.timestamp + timedelta(milliseconds=event.delay) if event.delay else None


class InvitationsReaction(Reaction):
    """Enqueues a job that sends each issued invitation."""

    name = "reaction_invitations"
    task = SEND_INVITATION
    events = (OnboardingRequest.InvitationIssued,)

    def arguments(self, event: OnboardingRequest.InvitationIssued) -> Mapping[str, UUID]:
        return {"request_id": event.originator_id, "message_id": event.message_id}


class CodesReaction(Reaction):
    """Enqueues a job that sends each issued confirmation or reset code."""

    name = "reaction_codes"
    task = SEND_CODE
    events = (VerificationCodes.Issued,)

    def arguments(self, event: VerificationCodes.Issued) -> Mapping[str, UUID]:
        return {"user_id": event.user_id, "message_id": event.message_id}


class NoticesReaction(Reaction):
    """Enqueues a job that sends each security notice."""

    name = "reaction_notices"
    task = SEND_NOTICE
    events = (SecurityNotice.Created,)

    def arguments(self, event: SecurityNotice.Created) -> Mapping[str, UUID]:
        return {"notice_id": event.originator_id}


def reactions() -> list[Projection]:
    """Return all reactions."""
    return [MovesReaction(), InvitationsReaction(), CodesReaction(), NoticesReaction()]
