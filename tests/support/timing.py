"""Whether the time of an answer tells what the answer does not (ruling K147)."""

from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter
from typing import Any

CALLS = 30
MOST_SECONDS, MOST_SHARE = 0.010, 0.2


async def take_as_long(one: Callable[[], Awaitable[Any]], other: Callable[[], Awaitable[Any]]) -> bool:
    """Return whether the medians of both calls differ by less than 20 % or 10 ms. The calls take turns."""
    times: list[tuple[float, float]] = []
    for _ in range(CALLS):
        begun = perf_counter()
        await one()
        between = perf_counter()
        await other()
        times.append((between - begun, perf_counter() - between))
    first, second = (median(each) for each in zip(*times, strict=True))
    return bool(abs(first - second) < max(MOST_SECONDS, MOST_SHARE * max(first, second)))
