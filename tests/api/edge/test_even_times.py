"""The time of an answer does not tell whether its operation had much to do (ruling K147)."""

import asyncio

import pytest

from api.edge.even_times import SHORTEST, evenly
from domain.core.errors import NotFound


async def taken(seconds: float, *, refuse: bool = False) -> float:
    """How long an operation that works for so long is awaited."""

    async def work() -> None:
        await asyncio.sleep(seconds)
        if refuse:
            raise NotFound

    loop = asyncio.get_running_loop()
    began = loop.time()
    if refuse:
        with pytest.raises(NotFound):
            await evenly(work())
    else:
        await evenly(work())
    return loop.time() - began


async def test_little_work_takes_as_long_as_more_work() -> None:
    assert min(await taken(0), await taken(SHORTEST / 2), await taken(0, refuse=True)) >= SHORTEST
