"""Notifies followers of appends, after the commit: within the transaction appends would queue for NOTIFY's lock.

The notice of a command whose client prefers `return=minimal` may be late, because the client does not wait for a
read model. Followers then apply several appends in one transaction, which takes less processor time than one each.
"""

import asyncio
import contextlib

from psycopg import OperationalError
from psycopg_pool import AsyncConnectionPool

from adapters.background import BackgroundTask

SECONDS_BETWEEN_NOTICES = 0.004
SECONDS_OF_DELAY = 0.02
"""How long after its append a late notice is sent, if no request waits for a read model before."""
SECONDS_FOR_A_NOTICE = 2.0

# A notice need not be durable, because readers also poll.
NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify('rollbook_log', %s)"


class Announcer:
    """Sends one notice for all appends since the one before. A lost notice is not sent again."""

    def __init__(self, pool: AsyncConnectionPool, *, delay: float = SECONDS_OF_DELAY) -> None:
        self._delay = delay
        self._pool = pool
        self._position = 0
        self._announced = 0
        self._wake = asyncio.Event()
        self._delayed: asyncio.TimerHandle | None = None
        self._stopping = False
        self._task = BackgroundTask("announcer", self._announce_forever)

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        """Send a pending notice, then stop. The task is not cancelled, because psycopg may turn that into an error."""
        self._stopping = True
        self._wake.set()
        await self._task.stop()

    def announce(self, position: int, *, at_once: bool = True) -> None:
        """Schedule a notification to the followers of the log."""
        self._position = max(self._position, position)
        if at_once:
            self._wake.set()
        elif self._delayed is None:
            self._delayed = asyncio.get_running_loop().call_later(self._delay, self._wake.set)

    def hurry(self) -> None:
        """Send the scheduled notification, if any, as soon as possible."""
        if self._position > self._announced:
            self._wake.set()

    async def _announce_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._delayed is not None:
                self._delayed.cancel()
                self._delayed = None
            if self._position > self._announced:
                self._announced = self._position
                with contextlib.suppress(OperationalError):
                    await self._notify(self._announced)
                await asyncio.sleep(SECONDS_BETWEEN_NOTICES)
            if self._stopping and self._position <= self._announced:
                return

    async def _notify(self, position: int) -> None:
        """Send the notice in one round trip; a transaction would take three, several hundred times per second."""
        async with self._pool.connection(timeout=SECONDS_FOR_A_NOTICE) as connection:
            await connection.execute(NOTIFY, (str(position),), prepare=True)
