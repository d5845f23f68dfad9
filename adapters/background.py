"""Background tasks that run as long as the process: a failure is logged and retried, and never ends the task."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

MIN_PAUSE = 0.2  # seconds
MAX_PAUSE = 10.0
HEALTHY_AFTER = 30.0  # seconds of work after which the back-off begins again

log = structlog.get_logger()


class BackgroundTask:
    """Runs `work` from `start` until `stop` or `cancel`, and again after a failure, with back-off up to 10 s.

    `work` returns only when its owner ends it. Its errors are logged as `background-task-failed`.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[None]], *, first_pause: float = MIN_PAUSE) -> None:
        """`first_pause` is the pause after a first failure, in seconds."""
        self._first_pause = first_pause
        self._name = name
        self._work = work
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start `work` and return at once."""
        self._task = asyncio.create_task(self._keep_working(), name=self._name)

    @property
    def stopping(self) -> bool:
        """Whether `stop` or `cancel` was called."""
        return self._stopping.is_set()

    async def stop(self) -> None:
        """Wait until `work` has returned, and do not start it again. The owner must have ended it."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def cancel(self) -> None:
        """Cancel `work` and wait until it has ended."""
        self._stopping.set()  # first, because psycopg may turn the cancellation into another error
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
                if time.monotonic() - began > HEALTHY_AFTER:
                    pause = self._first_pause
                log.exception("background-task-failed", task=self._name, again_in=pause)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
                pause = min(pause * 2, MAX_PAUSE)
            else:
                return
