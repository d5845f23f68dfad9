"""How long requests hold the event loop."""

import asyncio
import gc
import time
from types import TracebackType
from typing import Self

from workers.running.serving import GARBAGE_THRESHOLD


class LoopLag:
    """Measures, while it is open, for how long at a time nothing else could run: `seconds` is the longest.

    Of each pause the processor time of this process counts at most, because a busy machine pauses all processes.
    Garbage is collected as in `workers.running.serving`: what the tests have loaded would take 0.1 s to look through.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._thresholds: tuple[int, int, int] = gc.get_threshold()
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        gc.collect()
        gc.freeze()
        self._thresholds = gc.get_threshold()
        gc.set_threshold(GARBAGE_THRESHOLD)
        self._watching = asyncio.create_task(self._watch())
        await asyncio.sleep(0.01)
        self.seconds = 0.0
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.sleep(0.01)
        assert self._watching is not None
        self._watching.cancel()
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    async def _watch(self) -> None:
        wall, processor = time.monotonic(), time.process_time()
        while True:
            await asyncio.sleep(0.001)
            pause = min(time.monotonic() - wall, time.process_time() - processor)
            self.seconds = max(self.seconds, pause)
            wall, processor = time.monotonic(), time.process_time()
