"""NOTIFY with the position of what was appended: after the commit, because inside it appends would queue for it."""

import asyncio
import contextlib

from psycopg import OperationalError
from psycopg_pool import AsyncConnectionPool

SECONDS_BETWEEN_NOTICES = 0.004
SECONDS_FOR_A_NOTICE = 2.0

# Nobody waits for a notice to be durable: readers also look for themselves.
NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify('rollbook_log', %s)"


class Announcer:
    """One notice for all appends of the last four milliseconds; a lost one is not sent again."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._position = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._announce_forever())

    async def stop(self) -> None:
        """What was to be announced still is. Never cancelled: psycopg may turn that into an error of its own."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def announce(self, position: int) -> None:
        """Tell those who follow the log, soon."""
        self._position = max(self._position, position)
        self._wake.set()

    async def _announce_forever(self) -> None:
        announced = 0
        while True:
            if self._position > announced:
                announced = self._position
                with contextlib.suppress(OperationalError):
                    await self._notify(announced)
                await asyncio.sleep(SECONDS_BETWEEN_NOTICES)
            elif self._stopping:
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _notify(self, position: int) -> None:
        """One round trip: BEGIN and COMMIT would be two more, several hundred times a second."""
        async with self._pool.connection(timeout=SECONDS_FOR_A_NOTICE) as connection:
            await connection.set_autocommit(True)
            try:
                await connection.execute(NOTIFY, (str(position),), prepare=True)
            finally:
                await connection.set_autocommit(False)
