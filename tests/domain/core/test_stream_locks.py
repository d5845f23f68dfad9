"""Turns on streams: who waits for whom, and for how long."""

import asyncio
from uuid import UUID, uuid4

from domain.core import stream_locks
from domain.core.stream_locks import lock_streams


async def test_commands_wait_only_for_commands_on_the_same_stream() -> None:
    one, other, inside = uuid4(), uuid4(), list[str]()

    async def enter(name: str, *streams: UUID) -> None:
        async with lock_streams(streams):
            inside.append(name)
            await asyncio.sleep(0)
            inside.append(name)

    await asyncio.gather(enter("first", one), enter("second", other, one), enter("third", other), enter("free"))
    assert inside.index("first", 1) < inside.index("second")
    assert abs(inside.index("second") - inside.index("third")) > 1
    assert not stream_locks._locks, "what no command holds or waits for is gone"


async def test_a_turn_delays_others_for_a_limited_time() -> None:
    stuck, free = uuid4(), uuid4()

    async def enter(*streams: UUID) -> None:
        async with lock_streams(streams, 0.05):
            if free in streams and stuck in streams:  # the one that gave up waiting holds nothing
                await asyncio.create_task(enter(free))

    async with asyncio.timeout(5), lock_streams([stuck]):
        await asyncio.create_task(enter(free, stuck))


async def test_a_command_does_not_wait_for_the_turn_that_it_has() -> None:
    one, other = uuid4(), uuid4()

    async def enter() -> None:
        async with lock_streams([one]):
            pass

    async with lock_streams([one]):
        async with asyncio.timeout(1), lock_streams([one, other]):
            pass
        waiting = asyncio.create_task(enter())
        await asyncio.sleep(0)
        assert not waiting.done(), "the turn lasts as long as the outer one"
    await waiting


async def test_a_command_that_is_cancelled_in_line_leaves_the_line() -> None:
    stream = uuid4()

    async def enter() -> None:
        async with lock_streams([stream]):
            pass

    async with lock_streams([stream]):
        waiting = asyncio.create_task(enter())
        await asyncio.sleep(0)
        waiting.cancel()
        assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], asyncio.CancelledError)
    async with asyncio.timeout(1):
        await enter()
