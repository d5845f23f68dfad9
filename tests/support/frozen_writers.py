"""A process that stops itself while it holds the head of the log: after the head's UPDATE, before the COMMIT."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from uuid import UUID

from domain.access.roles import Role
from domain.core.errors import Unavailable
from domain.core.recorded import Recorded
from projections.core.projection import InlineProjection, WriteCursor
from tests.support.stores import a_store


class StopsOnce(InlineProjection):
    """An inline projection that stops the process at the first append, as SIGSTOP from outside would."""

    name = "stops_once"

    def __init__(self) -> None:
        self._stopped = False

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        if not self._stopped:
            self._stopped = True
            os.kill(os.getpid(), signal.SIGSTOP)


async def write(database_url: str, organization_id: UUID) -> str:
    """Append one role; tell its position, or `refused`."""
    role = Role.create(organization_id, "org.admin", "org.admin")
    async with a_store(database_url, projections=[StopsOnce()]) as store:
        try:
            return str(await store.save(role))
        except Unavailable:
            return "refused"


if __name__ == "__main__":
    print(asyncio.run(write(sys.argv[1], UUID(sys.argv[2]))))  # noqa: T201 - the test reads it
