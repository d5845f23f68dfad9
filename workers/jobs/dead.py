"""What the death of a job records: nothing waits for a job that nobody will carry out."""

from typing import Any

import structlog
from procrastinate import App

from domain.core.audited import AuditContext, audited_as
from workers.following.failures import describe
from workers.jobs.kinds import KINDS, JobKind
from workers.jobs.moves import HasMoves

_log = structlog.get_logger(__name__)


async def record_deaths(app: App, identity: HasMoves) -> None:
    """Call `on_dead` for all that waits for a job which is dead or gone. The app is open."""
    for kind in KINDS:
        for row in await app.connector.execute_query_all_async(
            _WAITING_IN_VAIN.format(kind.unfinished), task=kind.name
        ):
            await _record(identity, kind, row["arguments"])


async def _record(identity: HasMoves, kind: JobKind, arguments: dict[str, Any]) -> None:
    try:
        with audited_as(AuditContext()):
            recorded = await kind.on_dead(identity, arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others are recorded, and this one is tried again
        _log.warning("death-not-recorded", task=kind.name, **arguments, error=describe(error))
    else:
        if recorded is not None:
            _log.error("death-recorded", task=kind.name, **arguments)


_WAITING_IN_VAIN = """
SELECT arguments FROM ({}) AS unfinished(arguments)
WHERE NOT EXISTS (
    SELECT FROM procrastinate_jobs
    WHERE task_name = %(task)s AND status IN ('todo', 'doing') AND args @> arguments
)
"""
