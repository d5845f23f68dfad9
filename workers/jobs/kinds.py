"""The kinds of jobs: what carries each out, how it is retried, and what its death records. The only list of them."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import structlog
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job as QueuedJob

from workers.following.failures import describe
from workers.jobs import moves
from workers.jobs.moves import HasMoves

MOVE_GROUP = "move-group"

ATTEMPTS = 10  # the waits between them add up to about six minutes
LONGEST_WAIT = 120

Arguments = Mapping[str, Any]
Command = Callable[[HasMoves, Arguments], Awaitable[object]]

_log = structlog.get_logger(__name__)


class BackOff(BaseRetryStrategy):
    """1, 2, 4 … 120 seconds, then the job is dead: status `failed`, and its kind's `on_dead` is called."""

    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision | None:
        where = {"job": job.id, "task": job.task_name, "attempt": job.attempts + 1, "error": describe(exception)}
        if job.attempts + 1 >= ATTEMPTS:
            _log.error("job-dead", **where)
            return None
        _log.warning("job-failed", **where)
        return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=min(2**job.attempts, LONGEST_WAIT)))


class JobKind(NamedTuple):
    """`carry_out` and `on_dead` are commands, called with the job's arguments; both may be called any number of times.

    `unfinished` is a query for the arguments of all that still waits for a job of this kind in its own read model, as
    one column of jsonb: what waits there without a job that could be carried out is what `on_dead` is called for, be
    the job dead or gone. So nothing waits for ever.
    """

    name: str
    carry_out: Command
    on_dead: Command
    unfinished: LiteralString
    retry: BaseRetryStrategy


async def _move(identity: HasMoves, arguments: Arguments) -> object:
    return await moves.carry_out(identity, *_move_of(arguments))


async def _give_up_move(identity: HasMoves, arguments: Arguments) -> object:
    return await moves.give_up(identity, *_move_of(arguments))


def _move_of(arguments: Arguments) -> tuple[UUID, UUID]:
    return UUID(arguments["organization_id"]), UUID(arguments["task_id"])


KINDS = (JobKind(MOVE_GROUP, _move, _give_up_move, moves.UNFINISHED, BackOff()),)
