"""Turns on streams: commands that lost a race for the same streams decide one after the other (ruling O17).

The first try of a command takes no lock, so commands that do not meet pay nothing; those that nearly always meet take
the turn before they read the stream. A lock is held while a command decides and appends, never while a body arrives or
a password is hashed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID
from weakref import WeakKeyDictionary, WeakValueDictionary

MAX_SECONDS_IN_LINE = 5.0
"""After so long a command goes on without its turn, and races: whoever holds a lock holds up others no longer."""

# by event loop and stream; a lock that no command holds or waits for is gone
_locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, UUID], asyncio.Lock] = WeakValueDictionary()
# by task: what it has, or has waited for long enough
_taken: WeakKeyDictionary[asyncio.Task[object], frozenset[UUID]] = WeakKeyDictionary()


@asynccontextmanager
async def taking_turns(streams: Iterable[UUID], max_seconds: float = MAX_SECONDS_IN_LINE) -> AsyncIterator[None]:
    """Wait until no other command of this process is inside with any of these streams, at most `max_seconds`.

    Inside, the same task does not wait for them again.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    before = _taken.get(task, frozenset())
    wanted = frozenset(streams) - before
    async with AsyncExitStack() as held:
        try:
            async with asyncio.timeout(max_seconds):
                for stream in sorted(wanted):  # all in one order, so that no two wait for each other
                    await held.enter_async_context(_locks.setdefault((loop, stream), asyncio.Lock()))
        except TimeoutError:
            await held.aclose()
        _taken[task] = before | wanted
        try:
            yield
        finally:
            _taken[task] = before
