"""Work that goes on for as long as the process does: a failure is logged and followed by another try, never the end."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
STEADY = 30.0  # seconds after which a failure counts as a first one

log = structlog.get_logger()


class BackgroundTask:
    """Runs `work` from `start` until `stop` or `cancel`, and again after a failure, with back-off up to 10 s.

    `work` returns only when its owner tells it to. Its errors are logged as `background-task-failed`.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[None]], *, first_pause: float = FIRST_PAUSE) -> None:
        """`first_pause` is the pause after a first failure, in seconds."""
        self._first_pause = first_pause
        self._name = name
        self._work = work
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. Returns at once."""
        self._task = asyncio.create_task(self._keep_working(), name=self._name)

    @property
    def stopping(self) -> bool:
        """Whether it was told to end: `stop` or `cancel` waits."""
        return self._stopping.is_set()

    async def stop(self) -> None:
        """Return when `work` has returned. Its owner has told it to end; nothing is started again."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def cancel(self) -> None:
        """Cancel `work` and return when it has ended."""
        self._stopping.set()  # psycopg may turn the cancellation into an error of its own
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _keep_working(self) -> None:
        pause = self._first_pause
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await self._work()
            except Exception:
                if self._stopping.is_set():
                    return
                if time.monotonic() - began > STEADY:
                    pause = self._first_pause
                log.exception("background-task-failed", task=self._name, again_in=pause)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                return
