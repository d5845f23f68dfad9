"""The request with an Idempotency-Key that is being carried out, if any; the store writes its key beside the events."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class IdempotentRequest:
    """`key` and `fingerprint` as adapters/answer_book.py makes them from what the client sent.

    `replayed_position` is set when an earlier try was recorded there but never answered: nothing is appended again.
    """

    user_id: UUID
    key: str
    fingerprint: bytes
    replayed_position: int | None = None


_CURRENT: ContextVar[IdempotentRequest | None] = ContextVar("idempotent_request", default=None)


def current_request() -> IdempotentRequest | None:
    """The idempotent request inside which this runs."""
    return _CURRENT.get()


@contextmanager
def idempotent(request: IdempotentRequest) -> Iterator[None]:
    """Everything appended inside belongs to this request."""
    token = _CURRENT.set(request)
    try:
        yield
    finally:
        _CURRENT.reset(token)
