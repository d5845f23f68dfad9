"""Whether the time of an answer tells what the answer does not (ruling K147)."""

from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter
from typing import Any

CALLS = 30
ROUNDS = 3
MOST_SECONDS, MOST_SHARE = 0.010, 0.2


async def take_as_long(one: Callable[[], Awaitable[Any]], other: Callable[[], Awaitable[Any]]) -> bool:
    """Return whether the medians of both calls differ by less than 20 % or 10 ms. The calls take turns.

    A difference that is in the answers shows in every round, one that comes from other work on the machine does not.
    """
    for _ in range(ROUNDS):
        first, second = await _medians(one, other)
        if abs(first - second) < max(MOST_SECONDS, MOST_SHARE * max(first, second)):
            return True
    return False


async def _medians(one: Callable[[], Awaitable[Any]], other: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    times: list[tuple[float, float]] = []
    for _ in range(CALLS):
        begun = perf_counter()
        await one()
        between = perf_counter()
        await other()
        times.append((between - begun, perf_counter() - between))
    first, second = (median(each) for each in zip(*times, strict=True))
    return first, second
