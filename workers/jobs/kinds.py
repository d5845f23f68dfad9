"""The only list of the kinds of jobs: the command of each, its back-off, and the command that records a dead job."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString, NamedTuple

import structlog
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job as QueuedJob

from domain.core.messages import DeliveryFailed, MessageRefused
from domain.groups.moves import GroupMoves
from domain.onboarding.invitation_messages import InvitationMessages
from domain.people.account_messages import AccountMessages
from workers.following.failures import describe

MOVE_GROUP = "move-group"
SEND_INVITATION = "send-invitation"
SEND_CODE = "send-code"
SEND_NOTICE = "send-notice"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Commands:
    """The command classes that jobs call."""

    group_moves: GroupMoves
    invitations: InvitationMessages
    account_messages: AccountMessages


Command = Callable[..., Awaitable[object]]
"""A function that takes the job's arguments, which are ids, as keyword arguments."""


class OutOfTimeError(Exception):
    """A job failed after the time in which it is retried. The error of the last attempt is the cause."""


@dataclass(frozen=True)
class BackOff(BaseRetryStrategy):
    """Retry a job after 1, 2, 4 … seconds, at most `max_wait`, until it is dead after `attempts` attempts.

    A job that fails `seconds` after it was enqueued is dead too, if they are given. A message that the provider refused
    for good makes the job dead at once.
    """

    attempts: int = 10  # the waits between them add up to about six minutes
    max_wait: int = 120
    seconds: float | None = None

    def is_over(self, age: float) -> bool:
        """Return whether a job is dead that fails so many seconds after it was enqueued or retried by an operator."""
        return self.seconds is not None and age >= self.seconds

    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision | None:
        error = exception.__cause__ if isinstance(exception, OutOfTimeError) else exception
        assert error is not None, "the error of the last attempt is the cause"
        details = {"job": job.id, "task": job.task_name, "attempt": job.attempts + 1, "error": describe(error)}
        if isinstance(error, DeliveryFailed):
            details["reason"] = error.reason
        if isinstance(error, MessageRefused):
            _log.warning("job-dead", **details)
            return None
        if job.attempts + 1 >= self.attempts or isinstance(exception, OutOfTimeError):
            _log.error("job-dead", **details)
            return None
        _log.warning("job-failed", **details)
        return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=min(2**job.attempts, self.max_wait)))


class Rescue(NamedTuple):
    """What happens to resources that wait for a job which is dead or deleted, so that none waits for ever.

    `unfinished` is a query on the read model of the resource. It returns the job's arguments, one jsonb column. The
    worker calls `on_dead` with the arguments of each row that has no waiting or running job; it is idempotent.
    """

    on_dead: Callable[[Commands], Command]
    unfinished: LiteralString


class JobKind(NamedTuple):
    """A kind of job. `command` takes the job's arguments and is idempotent. `rescue` is None if no resource waits."""

    name: str
    command: Callable[[Commands], Command]
    retry: BackOff = BackOff()
    rescue: Rescue | None = None


# The conditions on positions leave out rows for which the reaction has not enqueued the job yet.
_UNFINISHED_MOVES: LiteralString = """
SELECT jsonb_build_object('organization_id', organization_id, 'task_id', task_id) FROM tasks
WHERE kind = 'move-group' AND state = 'pending'
    AND requested_position <= (SELECT position FROM projections WHERE name = 'reaction_moves')
"""

_UNFINISHED_INVITATIONS: LiteralString = """
SELECT jsonb_build_object('request_id', request_id, 'message_id', message_id) FROM invitations
WHERE pending AND issued_position <= (SELECT position FROM projections WHERE name = 'reaction_invitations')
"""
# 1, 2, 4 … 256 s, then 287 times five minutes, which is a little more than a day (ruling K43)
_ONE_DAY = BackOff(attempts=297, max_wait=300, seconds=24 * 3600)

KINDS = (
    JobKind(
        MOVE_GROUP,
        lambda commands: commands.group_moves.carry_out,
        rescue=Rescue(lambda commands: commands.group_moves.give_up, _UNFINISHED_MOVES),
    ),
    JobKind(
        SEND_INVITATION,
        lambda commands: commands.invitations.send,
        _ONE_DAY,
        Rescue(lambda commands: commands.invitations.give_up, _UNFINISHED_INVITATIONS),
    ),
    JobKind(SEND_CODE, lambda commands: commands.account_messages.send_code, _ONE_DAY),
    JobKind(SEND_NOTICE, lambda commands: commands.account_messages.send_notice, _ONE_DAY),
)
