"""Answers whose time tells nothing: to operations that do more work for a name that has an account (ruling K147)."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

SHORTEST = 0.05
"""Seconds; a code is issued in a tenth of that on a machine with nothing else to do."""

R = TypeVar("R")


async def evenly(work: Awaitable[R]) -> R:
    """Return the result of the work, or raise its refusal, but no sooner than after SHORTEST."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SHORTEST
    try:
        return await work
    finally:
        await asyncio.sleep(max(0.0, end - loop.time()))
