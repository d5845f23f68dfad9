"""Taking turns: what is done for thousands of things at once must not hold up everything else (ruling O8)."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from itertools import compress, islice
from typing import Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

BATCH = 250
"""Things that take some 10 to 100 µs each."""


class InTurns(Generic[T]):
    """Batches of the items; between two of them other tasks get their turn.

    async for batch in InTurns(events): …
    """

    def __init__(self, items: Iterable[T], size: int = BATCH) -> None:
        self._items = iter(items)
        self._size = size
        self._begun = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[T]:
        batch = list(islice(self._items, self._size))
        if not batch:
            raise StopAsyncIteration
        if self._begun:
            await asyncio.sleep(0)
        self._begun = True
        return batch


async def in_turns(function: Callable[[T], R], items: Collection[T]) -> list[R]:
    """Return what the function makes of each item; other tasks get their turn after every BATCH of them.

    A command on a few streams does this several times, so a few items take no detour through a coroutine each.
    """
    if len(items) <= BATCH:
        return [function(item) for item in items]
    results: list[R] = []
    async for batch in InTurns(items):
        results += [function(item) for item in batch]
    return results


async def filter_in_turns(condition: Callable[[T], object], items: Collection[T]) -> list[T]:
    """Return the items for which it holds, as `in_turns` does."""
    kept = await in_turns(lambda item: bool(condition(item)), items)
    return list(compress(items, kept))
