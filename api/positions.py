"""How far the read models are, and waiting until they are further: woken by the projector, not by polling.

A lost notification only costs latency: while somebody waits, the table is looked at once a second as well.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Self

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool

from adapters.background import BackgroundTask
from adapters.notifications import LOG, PROJECTED, Notifications

HEAD = ""
"""The name under which the head of the identity log itself is waited for: what inline projections answer from."""

POLL = 1.0
MOMENT = 0.05
"""Seconds in which nearly everybody who waits is told by a notification; only then does looking pay."""

log = structlog.get_logger()

_LOOK = """
SELECT name, position FROM projections WHERE mode = 'background' AND log = 'identity'
UNION ALL SELECT '', position FROM log_head WHERE log = 'identity'
"""


class Positions:
    """An async context manager; inside, it hears. One for each process."""

    def __init__(self, pool: AsyncConnectionPool, notifications: Notifications) -> None:
        self._pool = pool
        self._known: dict[str, int] = {}
        self._waiting: set[_Waiter] = set()
        self._look = asyncio.Event()
        self._stopping = False
        self._task = BackgroundTask("positions", self._look_while_somebody_waits)
        notifications.on(LOG, self._heard_head)
        notifications.on(PROJECTED, self._heard_projection)

    async def __aenter__(self) -> Self:
        self._look.set()
        self._task.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True  # a cancellation can get lost in a query that is being cancelled
        self._look.set()
        await self._task.stop()

    @property
    def known(self) -> Mapping[str, int]:
        """What was heard or seen last, by name."""
        return self._known

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def learn(self, name: str, position: int) -> None:
        """Somebody has seen this read model at this position."""
        if position > self._known.get(name, -1):
            self._known[name] = position
            self._wake()

    def forget(self, names: Collection[str]) -> None:
        """What was known turned out wrong: a rebuilt read model may stand further back, a restored log too."""
        for name in names or (HEAD,):
            self._known.pop(name, None)

    async def reached(self, names: Collection[str], position: int, seconds: float) -> bool:
        """Whether all these read models got to the position within the time."""
        waiter = _Waiter(tuple(names) or (HEAD,), position)
        if waiter.satisfied_by(self._known):
            return True
        self._waiting.add(waiter)
        self._look.set()
        try:
            await asyncio.wait_for(waiter.done.wait(), seconds)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiting.discard(waiter)

    def _heard_head(self, payload: str | None) -> None:
        if payload is None:
            self._look.set()
        else:
            self.learn(HEAD, int(payload))

    def _heard_projection(self, payload: str | None) -> None:
        if payload is None:
            self._look.set()
        else:
            name, _, position = payload.rpartition(":")
            self.learn(name, int(position))

    def _wake(self) -> None:
        for waiter in self._waiting:
            if waiter.satisfied_by(self._known):
                waiter.done.set()

    async def _look_while_somebody_waits(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), POLL if self._waiting else None)
            if self._stopping:
                return
            self._look.clear()
            await asyncio.sleep(MOMENT)
            if self._waiting or not self._known:
                for name, position in await self._seen():
                    self.learn(name, position)

    async def _seen(self) -> list[tuple[str, int]]:
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_LOOK, prepare=True)
                return await cursor.fetchall()
        except psycopg.Error as error:
            log.warning("positions-unread", reason=type(error).__name__)
            return []


class _Waiter:
    __slots__ = ("_names", "_position", "done")

    def __init__(self, names: tuple[str, ...], position: int) -> None:
        self._names = names
        self._position = position
        self.done = asyncio.Event()

    def satisfied_by(self, known: Mapping[str, int]) -> bool:
        return all(known.get(name, -1) >= self._position for name in self._names)
