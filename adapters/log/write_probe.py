"""Checks whether this process can write, by taking the lock that every append takes (ruling O28)."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Protocol

import psycopg
import structlog

from domain.core.errors import Unavailable

MIN_INTERVAL = 2.0
"""Seconds between two checks."""
MAX_WAIT = 1.0
"""Seconds for the lock of each log."""

log = structlog.get_logger()


class Lockable(Protocol):
    """The part of a store that the probe needs."""

    async def lock_head(self, max_wait: float) -> None:
        """Take and release the lock of the head row. Raises Unavailable, TimeoutError, psycopg.Error."""
        ...


class WriteProbe:
    """Checks all logs of a process. It caches the result for `min_interval` seconds."""

    def __init__(self, stores: Sequence[Lockable], min_interval: float = MIN_INTERVAL) -> None:
        self.min_interval = min_interval
        self._stores = stores
        self._lock = asyncio.Lock()
        self._checked = -min_interval
        self._can_write = False

    async def can_write(self) -> bool:
        """Return whether an append to each log was possible at the last check."""
        async with self._lock:
            if monotonic() - self._checked >= self.min_interval:
                self._can_write = await self._check()
                self._checked = monotonic()
            return self._can_write

    async def _check(self) -> bool:
        try:
            await asyncio.gather(*(store.lock_head(MAX_WAIT) for store in self._stores))
        except (psycopg.Error, TimeoutError, Unavailable) as error:
            log.warning("cannot-write", reason=type(error).__name__)
            return False
        return True
