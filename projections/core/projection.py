"""What a projection is: the only writer of its tables, fed with batches of the log in order."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from psycopg import AsyncCursor

from domain.core.errors import DomainError
from domain.core.recorded import Event, Recorded

__all__ = ["Event", "Mode", "Projection", "Reader", "Recorded", "replicator_id"]

R = TypeVar("R")


class Mode(StrEnum):
    """When it is applied: in the append's own transaction, or behind it by a worker."""

    INLINE = "inline"
    BACKGROUND = "background"


class Projection(Protocol):
    """One read model.

    The result never depends on where a batch ends: the same log in batches of any size gives the same rows, and
    violates the same unique indexes. Batches end at the borders of appends. So `apply` folds the batch to the last
    state of each row, deletes, then inserts; where a key is unique `projections.core.unique_rows` does both.

    `tables` are all that it writes, in the order in which they can be created. `events` are the classes it looks at,
    None for all. `unique_violations` says which refusal a violated constraint means; violations of others are our
    errors. The same `apply` serves the append (inline), the projector (background) and the rebuild, so it uses
    unqualified table names and nothing but its own tables.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def tables(self) -> tuple[str, ...]: ...
    @property
    def events(self) -> tuple[type[Event], ...] | None: ...
    @property
    def unique_violations(self) -> Mapping[str, type[DomainError]]: ...

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """Fold the batch in memory, then write with set-based statements. Applied exactly once per event."""
        ...


class Reader(Protocol):
    """A way to the read models."""

    async def ask(self, question: Callable[[AsyncCursor], Awaitable[R]]) -> R:
        """Return what `question` reads; it may be asked more than once."""
        ...


def replicator_id(name: str) -> UUID:
    """The id under which the replicators API shows a projection; the same in every installation."""
    return uuid5(NAMESPACE_URL, f"rollbook:replicator:{name}")
