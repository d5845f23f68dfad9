"""New ids: random, or, inside a request with an Idempotency-Key, the same ones again when it is retried."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from uuid import UUID, uuid4, uuid5

_SEED: ContextVar[tuple[UUID, Iterator[int]] | None] = ContextVar("id_seed", default=None)


def new_id() -> UUID:
    """An id that nothing has yet (or, in a retried request, that this very request gave it the first time)."""
    seed = _SEED.get()
    return uuid4() if seed is None else uuid5(seed[0], str(next(seed[1])))


@contextmanager
def ids_from(seed: UUID) -> Iterator[None]:
    """Inside, ids follow from `seed` in the order in which they are asked for."""
    token = _SEED.set((seed, count()))
    try:
        yield
    finally:
        _SEED.reset(token)
