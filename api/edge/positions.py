"""The positions of the read models, and waiting for them. Notifications of the projector wake the waiting requests.

A lost notification only adds latency: while a request waits, the positions are read once a second, too.

A read model is *stalled* while it fails, no worker projects it, or it lags by more than MAX_LAG. Commands do not wait
for a stalled read model (ruling A5). Its position is read once a second until it moves again.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Self

import psycopg
import structlog
from psycopg import AsyncCursor

from adapters.background import BackgroundTask
from adapters.log.notifications import LOG, PROJECTED, Notifications
from adapters.postgres.connections import Pool

HEAD = ""
"""The name for the head of the identity log, which inline projections always have reached."""

POLL = 1.0
MOMENT = 0.05
"""Seconds before a waiting request reads the positions: a notification nearly always arrives within them."""

MAX_LAG = 20_000
"""Events by which a read model may lag before commands stop waiting for it."""
MAX_IDLE = 5
"""Seconds since a worker last polled for a read model's next events. Workers poll twice a second."""

log = structlog.get_logger()

_LOOK = f"""
SELECT p.name, p.position, p.error IS NULL AND head.position - p.position <= {MAX_LAG}
       AND coalesce(p.last_poll_at > now() - interval '{MAX_IDLE} seconds', false)
FROM projections p JOIN log_head head USING (log) WHERE p.mode = 'background' AND p.log = 'identity'
UNION ALL SELECT '', position, true FROM log_head WHERE log = 'identity'
"""


class Positions:
    """An async context manager within which positions are received. A process has one."""

    def __init__(self, pool: Pool, notifications: Notifications, poll: float = POLL) -> None:
        """While a request waits, read the positions every `poll` seconds, besides receiving notifications."""
        self.poll = poll
        self._pool = pool
        self._known: dict[str, int] = {}
        self._moving: set[str] | None = None
        self._any_stalled = False
        self._waiting: set[_Waiter] = set()
        self._look = asyncio.Event()
        self._stopping = False
        self._hurry: Callable[[], None] = lambda: None
        self._task = BackgroundTask("positions", self._look_while_somebody_waits)
        notifications.on(LOG, self._heard_head)
        notifications.on(PROJECTED, self._heard_projection)

    async def __aenter__(self) -> Self:
        self._look.set()
        self._task.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True  # a cancellation can get lost in a query that is being cancelled
        self._look.set()
        await self._task.stop()

    def when_waiting(self, hurry: Callable[[], None]) -> None:
        """Call `hurry` whenever a request begins to wait: it announces what this process has appended."""
        self._hurry = hurry

    @property
    def known(self) -> Mapping[str, int]:
        """Return the last received positions by name."""
        return self._known

    @property
    def waiting(self) -> int:
        """Return the number of waiting requests."""
        return len(self._waiting)

    def learn(self, name: str, position: int) -> None:
        """Somebody has seen this read model at this position."""
        if position > self._known.get(name, -1):
            self._known[name] = position
            if self._moving is not None and self._known.get(HEAD, 0) - position <= MAX_LAG:
                self._moving.add(name)
            self._wake()

    def forget(self, names: Collection[str]) -> None:
        """Forget positions that turned out wrong: a rebuilt read model or a restored log may be at an earlier one."""
        for name in names or (HEAD,):
            self._known.pop(name, None)

    async def reached(self, names: Collection[str], position: int, seconds: float) -> bool:
        """Return whether all these read models reach the position within the time."""
        return await self._satisfied(_Waiter(tuple(names) or (HEAD,), position), seconds)

    async def shown(self, names: Collection[str], position: int, seconds: float) -> bool:
        """Return whether these read models reach the position within the time, without waiting for stalled ones."""
        await self._satisfied(_Waiter(tuple(names), position, self.stalled), seconds)
        return _Waiter(tuple(names), position).satisfied_by(self._known)

    def stalled(self, name: str) -> bool:
        """Return whether the read model does not move, or lags too far to wait for it."""
        return self._moving is not None and name not in self._moving

    async def _satisfied(self, waiter: "_Waiter", seconds: float) -> bool:
        if waiter.satisfied_by(self._known):
            return True
        self._waiting.add(waiter)
        self._look.set()
        self._hurry()
        try:
            async with asyncio.timeout(seconds):
                await waiter.done.wait()
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
            names, _, position = payload.rpartition(":")
            for name in names.split(","):
                self.learn(name, int(position))

    def _wake(self) -> None:
        for waiter in self._waiting:
            if waiter.satisfied_by(self._known):
                waiter.done.set()

    async def _look_while_somebody_waits(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), self.poll if self._waiting or self._any_stalled else None)
            if self._stopping:
                return
            self._look.clear()
            await asyncio.sleep(MOMENT)
            if self._waiting or not self._known or self._any_stalled:
                seen = await self._seen()
                for name, position, _ in seen:
                    self.learn(name, position)
                if seen:
                    self._moving = {name for name, _, moving in seen if moving}
                    self._any_stalled = len(self._moving) < len(seen)
                    self._wake()

    async def _seen(self) -> list[tuple[str, int, bool]]:
        async def look(cursor: AsyncCursor) -> list[tuple[str, int, bool]]:
            await cursor.execute(_LOOK, prepare=True)
            return await cursor.fetchall()

        try:
            return await self._pool.ask(look)
        except psycopg.Error as error:
            log.warning("positions-unread", reason=type(error).__name__)
            return []


class _Waiter:
    """A request that waits until read models reach a position, except those for which `excused` returns True."""

    __slots__ = ("_excused", "_names", "_position", "done")

    def __init__(self, names: tuple[str, ...], position: int, excused: Callable[[str], bool] | None = None) -> None:
        self._names = names
        self._position = position
        self._excused = excused
        self.done = asyncio.Event()

    def satisfied_by(self, known: Mapping[str, int]) -> bool:
        return all(
            known.get(name, -1) >= self._position or (self._excused is not None and self._excused(name))
            for name in self._names
        )
