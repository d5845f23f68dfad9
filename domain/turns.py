"""Taking turns: what is done for thousands of things at once must not hold up everything else (ruling O8)."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Generic, Self, TypeVar

T = TypeVar("T")

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
