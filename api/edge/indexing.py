"""Keeps the index of individuals (`projections/access/index.py`) as good as its use is worth."""

import asyncio
import time
from types import TracebackType
from typing import Self

import psycopg
import structlog
from psycopg import AsyncConnection

from adapters.background import BackgroundTask
from adapters.metrics import INDEXED
from adapters.postgres.connections import connect
from projections.access import index as access_index
from projections.access.index import AccessIndex
from projections.access.limits import LIMITS

LEAST = 5_000
"""Individuals; of fewer the tables tell as fast."""
PAUSE = 0.5
REST = 20
"""Making an index is followed by so many times its duration without making another one."""
LEAST_REST = 10.0

log = structlog.get_logger()


class Indexing:
    """An async context manager; inside, an index is made and renewed. One for each process."""

    def __init__(self, dsn: str) -> None:
        self.least = LEAST
        self.limits = LIMITS
        self._dsn = dsn
        self._index: AccessIndex | None = None
        self._rests_until = 0.0
        self._wanted = asyncio.Event()
        self._task = BackgroundTask("indexing", self._keep)

    async def __aenter__(self) -> Self:
        self._wanted.set()
        self._task.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._task.cancel()

    def index(self) -> AccessIndex | None:
        """For a list that begins now; without one the tables answer."""
        if self._index is None or self._index.needs_base or self._index.needs_delta:
            self._wanted.set()
        return self._index

    async def renew(self) -> None:
        """Make an index of now, if there are enough individuals."""
        began = time.monotonic()
        async with await self._connect() as connection:
            if await access_index.how_many(connection) >= self.least:
                self._index = await access_index.load(connection, self.limits)
        took = time.monotonic() - began
        self._rests_until = began + took + max(LEAST_REST, REST * took)
        if self._index is not None:
            INDEXED.set(len(self._index))
            log.info("individuals-indexed", individuals=len(self._index), seconds=round(took, 3))

    async def renew_delta(self) -> None:
        """Bring what has changed since the index was made up to now."""
        if self._index is not None:
            async with await self._connect() as connection:
                await self._index.renew_delta(connection)

    async def _keep(self) -> None:
        while not self._task.stopping:  # a cancellation can get lost in a query that is being cancelled
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._improve()
            except (psycopg.Error, OSError) as failure:
                log.warning("individuals-not-indexed", reason=type(failure).__name__)
            await asyncio.sleep(PAUSE)

    async def _improve(self) -> None:
        """A new index is work for seconds; what has changed is work for milliseconds."""
        if time.monotonic() >= self._rests_until and (self._index is None or self._index.needs_base):
            await self.renew()
        else:
            await self.renew_delta()

    async def _connect(self) -> AsyncConnection:
        """A connection of its own, because nobody should wait for one of the pool's meanwhile."""
        return await connect(self._dsn, application_name="rollbook-indexing")
