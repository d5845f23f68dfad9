"""Locks on streams: commands of one process that lost a race for the same streams run one after the other (ruling O17).

The first attempt of a command takes no lock, so commands without contention pay nothing. Commands that nearly always
contend lock the stream before they read it. A command holds a lock while it decides and appends, never while a body
arrives or a password is hashed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID
from weakref import WeakKeyDictionary, WeakValueDictionary

MAX_LOCK_WAIT = 5.0
"""Seconds. After them a command goes on without the lock, so that a slow command does not block others for ever."""

# by event loop and stream; a lock disappears when no command holds it or waits for it
_locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, UUID], asyncio.Lock] = WeakValueDictionary()
# by task: streams that it has locked, or has stopped waiting for
_streams_of_tasks: WeakKeyDictionary[asyncio.Task[object], frozenset[UUID]] = WeakKeyDictionary()


@asynccontextmanager
async def lock_streams(streams: Iterable[UUID], max_seconds: float = MAX_LOCK_WAIT) -> AsyncIterator[None]:
    """Lock the streams against other commands of this process, and wait for the locks for at most `max_seconds`.

    The locks are re-entrant for a task.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    locked_before = _streams_of_tasks.get(task, frozenset())
    to_lock = frozenset(streams) - locked_before
    async with AsyncExitStack() as locks:
        try:
            async with asyncio.timeout(max_seconds):
                for stream in sorted(to_lock):  # every task in the same order: no deadlock
                    await locks.enter_async_context(_locks.setdefault((loop, stream), asyncio.Lock()))
        except TimeoutError:
            await locks.aclose()
        _streams_of_tasks[task] = locked_before | to_lock
        try:
            yield
        finally:
            _streams_of_tasks[task] = locked_before
