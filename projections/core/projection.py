"""Projections: the only writers of their tables, fed with batches of the log in order."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from psycopg import AsyncCursor

from domain.core.errors import DomainError
from domain.core.recorded import Event, Recorded

__all__ = [
    "Event",
    "InlineProjection",
    "Mode",
    "PersonalColumns",
    "Projection",
    "Reader",
    "Recorded",
    "WriteCursor",
    "replicator_id",
]

R = TypeVar("R")


class Mode(StrEnum):
    """When it is applied: in the append's own transaction, or behind it by a worker."""

    INLINE = "inline"
    BACKGROUND = "background"


class WriteCursor(Protocol):
    """A cursor that executes statements and tells nothing of their results."""

    async def execute(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None, *, prepare: bool | None = None
    ) -> object:
        """Send the statement; an error of it is raised by this call or, in a pipeline, by a later one."""
        ...


class PersonalColumns(NamedTuple):
    """Columns of a table that hold personal values in clear; the column `subject` has the id of whose they are."""

    table: str
    subject: str
    columns: tuple[str, ...]


class Projection(ABC):
    """One read model. A projection states its name, its `apply` and what differs from the defaults below.

    The result never depends on where a batch ends: the same log in batches of any size gives the same rows, and
    violates the same unique indexes. Batches end at the borders of appends. So `apply` folds the batch to the last
    state of each row, deletes, then inserts; where a key is unique `projections.core.unique_rows` does both.

    The same `apply` serves the append (inline), the projector (background) and the rebuild, so it uses unqualified
    table names and nothing but its own tables.
    """

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    def version(self) -> int:
        """A higher version than that of the tables asks for a rebuild."""
        return 1

    @property
    def mode(self) -> Mode:
        return Mode.BACKGROUND

    @property
    def tables(self) -> tuple[str, ...]:
        """All tables that it writes, in the order in which they can be created."""
        return (self.name,)

    @property
    def events(self) -> tuple[type[Event], ...] | None:
        """The classes of events that it looks at, None for all."""
        return None

    @property
    def unique_violations(self) -> Mapping[str, type[DomainError]]:
        """The refusals that violated constraints mean, by constraint; violations of others are our errors."""
        return {}

    @property
    def personal(self) -> tuple[PersonalColumns, ...]:
        """All columns that hold personal values; hashes and ids are none."""
        return ()

    @abstractmethod
    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """Fold the batch in memory, then write with set-based statements. Applied exactly once per event."""


class InlineProjection(Projection):
    """A projection that is applied in the transaction of every append.

    It only writes: waiting for a result would hold up everybody else's appends by a round trip.
    """

    @property
    def mode(self) -> Mode:
        return Mode.INLINE

    @abstractmethod
    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None: ...


class Reader(Protocol):
    """A way to the read models."""

    async def ask(self, question: Callable[[AsyncCursor], Awaitable[R]]) -> R:
        """Return what `question` reads; it may be asked more than once."""
        ...


def replicator_id(name: str) -> UUID:
    """Return the id under which the replicators API shows a projection; the same in every installation."""
    return uuid5(NAMESPACE_URL, f"rollbook:replicator:{name}")
