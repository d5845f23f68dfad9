"""New ids: random, or, inside a request with an Idempotency-Key, the same ones again when it is retried."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID, uuid4, uuid5


@dataclass
class _Sequence:
    seed: UUID
    given: int = 0


_SEQUENCE: ContextVar[_Sequence | None] = ContextVar("id_sequence", default=None)


def new_id() -> UUID:
    """An id that nothing has yet (or, in a retried request, that this very request gave it the first time)."""
    sequence = _SEQUENCE.get()
    if sequence is None:
        return uuid4()
    sequence.given += 1
    return uuid5(sequence.seed, str(sequence.given))


@contextmanager
def ids_from(seed: UUID) -> Iterator[None]:
    """Inside, ids follow from `seed` in the order in which they are asked for."""
    token = _SEQUENCE.set(_Sequence(seed))
    try:
        yield
    finally:
        _SEQUENCE.reset(token)


def ids_given() -> int:
    """How many ids the request has given so far, for `give_again`."""
    sequence = _SEQUENCE.get()
    return 0 if sequence is None else sequence.given


def give_again(since: int) -> None:
    """What was decided since then came to nothing: the next decision gives the same ids."""
    sequence = _SEQUENCE.get()
    if sequence is not None:
        sequence.given = since
