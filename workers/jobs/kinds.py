"""The kinds of jobs: what each calls, how it is retried, and what its death records. The only list of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString, NamedTuple

import structlog
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job as QueuedJob

from domain.core.messages import MessageRefused
from domain.groups.moves import GroupMoves
from domain.onboarding.invitation_messages import InvitationMessages
from workers.following.failures import describe

MOVE_GROUP = "move-group"
SEND_INVITATION = "send-invitation"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Commands:
    """What jobs call."""

    group_moves: GroupMoves
    invitations: InvitationMessages


Command = Callable[..., Awaitable[object]]
"""Called with the ids that are the job's arguments, by their names."""


@dataclass(frozen=True)
class BackOff(BaseRetryStrategy):
    """1, 2, 4 … seconds, at most `max_wait`; after so many attempts the job is dead: its kind's `on_dead` is called.

    A message that was refused for good is not tried again.
    """

    attempts: int = 10  # the waits between them add up to about six minutes
    max_wait: int = 120

    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision | None:
        where = {"job": job.id, "task": job.task_name, "attempt": job.attempts + 1, "error": describe(exception)}
        if job.attempts + 1 >= self.attempts or isinstance(exception, MessageRefused):
            _log.error("job-dead", **where)
            return None
        _log.warning("job-failed", **where)
        return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=min(2**job.attempts, self.max_wait)))


class JobKind(NamedTuple):
    """`command` and `on_dead` name commands that take the job's arguments; both may be called any number of times.

    `unfinished` is a query for the arguments of all that still waits for a job of this kind in its own read model, as
    one column of jsonb: what waits there without a job that could be carried out is what `on_dead` is called for, be
    the job dead or gone. So nothing waits for ever.
    """

    name: str
    command: Callable[[Commands], Command]
    on_dead: Callable[[Commands], Command]
    unfinished: LiteralString
    retry: BackOff = BackOff()


# A task that the reaction has not come to yet has no job yet.
_UNFINISHED_MOVES: LiteralString = """
SELECT jsonb_build_object('organization_id', organization_id, 'task_id', task_id) FROM tasks
WHERE kind = 'move-group' AND state = 'pending'
    AND requested_position <= (SELECT position FROM projections WHERE name = 'reaction_moves')
"""

_UNFINISHED_INVITATIONS: LiteralString = """
SELECT jsonb_build_object('request_id', request_id, 'message_id', message_id) FROM invitations
WHERE pending AND issued_position <= (SELECT position FROM projections WHERE name = 'reaction_invitations')
"""
_FOR_A_DAY = BackOff(attempts=297, max_wait=300)  # 1, 2, 4 … 256 s, then 287 times five minutes (ruling K43)

KINDS = (
    JobKind(
        MOVE_GROUP,
        lambda commands: commands.group_moves.carry_out,
        lambda commands: commands.group_moves.give_up,
        _UNFINISHED_MOVES,
    ),
    JobKind(
        SEND_INVITATION,
        lambda commands: commands.invitations.send,
        lambda commands: commands.invitations.give_up,
        _UNFINISHED_INVITATIONS,
        _FOR_A_DAY,
    ),
)
