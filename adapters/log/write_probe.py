"""Whether this process can write, found out by taking the lock that every append takes (ruling O28)."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Protocol

import psycopg
import structlog

from domain.core.errors import Unavailable

LOOK_EVERY = 2.0
MAX_WAIT = 1.0
"""Seconds for the lock of each log."""

log = structlog.get_logger()


class Appending(Protocol):
    """As much of a store as the probe needs."""

    async def take_head(self, max_wait: float) -> None:
        """Take the lock on the head of the log and let it go. Raises Unavailable, TimeoutError, psycopg.Error."""
        ...


class WriteProbe:
    """For all logs of a process. However often it is asked, it looks every `look_every` seconds at most."""

    def __init__(self, stores: Sequence[Appending], look_every: float = LOOK_EVERY) -> None:
        self.look_every = look_every
        self._stores = stores
        self._asking = asyncio.Lock()
        self._looked = -look_every
        self._can_write = False

    async def can_write(self) -> bool:
        """Whether an append to each log would have been possible a moment ago."""
        async with self._asking:
            if monotonic() - self._looked >= self.look_every:
                self._can_write = await self._look()
                self._looked = monotonic()
            return self._can_write

    async def _look(self) -> bool:
        try:
            await asyncio.gather(*(store.take_head(MAX_WAIT) for store in self._stores))
        except (psycopg.Error, TimeoutError, Unavailable) as error:
            log.warning("cannot-write", reason=type(error).__name__)
            return False
        return True
