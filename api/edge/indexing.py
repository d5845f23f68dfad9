"""Builds and renews the index of individuals (`projections/access/index.py`)."""

import asyncio
import time
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

MIN_INDIVIDUALS = 5_000
"""With fewer individuals the tables are as fast as an index."""
PAUSE = 0.5
REST = 20
"""After building an index, the process builds no other one for this many times the duration of the build."""
MIN_REST = 10.0

log = structlog.get_logger()


class Indexing:
    """An async context manager within which an index is built and renewed. A process has one."""

    def __init__(self, dsn: str) -> None:
        self.min_individuals = MIN_INDIVIDUALS
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

    async def __aexit__(self, *_: object) -> None:
        await self._task.cancel()

    def index(self) -> AccessIndex | None:
        """Return the index for a list that begins now; None when the tables must answer."""
        if self._index is None or self._index.needs_base or self._index.needs_delta:
            self._wanted.set()
        return self._index

    async def renew(self) -> None:
        """Build an index of the present state, if there are enough individuals."""
        began = time.monotonic()
        async with await self._connect() as connection:
            if await access_index.how_many(connection) >= self.min_individuals:
                self._index = await access_index.load(connection, self.limits)
        took = time.monotonic() - began
        self._rests_until = began + took + max(MIN_REST, REST * took)
        if self._index is not None:
            INDEXED.set(len(self._index))
            log.info("individuals-indexed", individuals=len(self._index), seconds=round(took, 3))

    async def renew_delta(self) -> None:
        """Apply the changes since the index was built."""
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
        """Build a new index, which takes seconds, or apply the changes, which takes milliseconds."""
        if time.monotonic() >= self._rests_until and (self._index is None or self._index.needs_base):
            await self.renew()
        else:
            await self.renew_delta()

    async def _connect(self) -> AsyncConnection:
        """Return a new connection, so that requests do not wait for a connection of the pool."""
        return await connect(self._dsn, application_name="rollbook-indexing")
