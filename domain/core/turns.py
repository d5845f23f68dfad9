"""Work in turns: large work is done in batches, and other tasks run between two batches (ruling O8)."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from itertools import compress, islice
from typing import Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

BATCH = 250
"""Items of a batch. An item takes 10 to 100 µs."""


class InTurns(Generic[T]):
    """An asynchronous iterator over batches of the items; other tasks run between two batches.

    async for batch in InTurns(events): …
    """

    def __init__(self, items: Iterable[T], size: int = BATCH) -> None:
        self._items = iter(items)
        self._size = size
        self._started = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[T]:
        batch = list(islice(self._items, self._size))
        if not batch:
            raise StopAsyncIteration
        if self._started:
            await asyncio.sleep(0)
        self._started = True
        return batch


async def in_turns(function: Callable[[T], R], items: Collection[T]) -> list[R]:
    """Return the result of the function for each item; other tasks run after every BATCH items.

    A command on a few streams calls this several times, so a small number of items skips the asynchronous iterator.
    """
    if len(items) <= BATCH:
        return [function(item) for item in items]
    results: list[R] = []
    async for batch in InTurns(items):
        results += [function(item) for item in batch]
    return results


async def filter_in_turns(condition: Callable[[T], object], items: Collection[T]) -> list[T]:
    """Return the items for which the condition is true, evaluated in turns."""
    kept = await in_turns(lambda item: bool(condition(item)), items)
    return list(compress(items, kept))
