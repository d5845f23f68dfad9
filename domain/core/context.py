"""Context variables: values that hold for everything that runs inside a `with` block, across its awaits."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")


@contextmanager
def bound(variable: ContextVar[Any], value: T) -> Iterator[T]:
    """Let the variable have this value inside; yield the value."""
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)
