"""The decision that is being made for a caller: which rights it rests on, and how far the log was when it began.

A command that is appended after the event that ended its right does not exist (ruling O7). So the store compares what
stands here with what happened since, under the lock under which it appends.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from domain.core.ports import LISTABLE, AccessQuery
from domain.core.turns import InTurns


@dataclass(eq=False)
class Decision:
    """`position` is that of the log when the session was looked up, so none of the rights is older.

    `granted` are the queries that were answered with yes, and `readable` the users whom a caller was found to be
    allowed to read: both by the user whose right it is. `always_rechecked` is true when the recorded losses cannot tell
    that one of the rights has ended: a right on any resource of a type, and "contain", end by events that name neither
    the user nor the resource.
    """

    actor: UUID
    session: UUID
    position: int
    granted: dict[tuple[UUID, AccessQuery], None] = field(init=False, default_factory=dict)
    readable: dict[UUID, set[UUID]] = field(init=False, default_factory=dict)
    always_rechecked: bool = field(init=False, default=False)

    def rest_on(self, user_id: UUID, queries: Collection[AccessQuery]) -> None:
        """Let it rest on these, which were answered with yes."""
        self.granted |= {(user_id, query): None for query in queries}
        self.always_rechecked = self.always_rechecked or any(map(_ends_unnamed, queries))

    def subjects(self) -> set[UUID]:
        """The ids of everything that the decision rests on."""
        named = {query.resource_id for _, query in self.granted if isinstance(query.resource_id, UUID)}
        return named.union({self.actor, self.session}, *self.readable.values())


def _ends_unnamed(query: AccessQuery) -> bool:
    return query.operation == "contain" or (query.resource_id is None and query.resource_type in LISTABLE)


class Losses(NamedTuple):
    """Whose rights events may have ended: those that rest on these subjects, or, with `any_right`, on anything."""

    subjects: frozenset[UUID]
    any_right: bool


_CURRENT: ContextVar[Decision | None] = ContextVar("decision", default=None)


def current_decision() -> Decision | None:
    """The decision inside which this runs; None for jobs, bootstrap and callers without a token."""
    return _CURRENT.get()


@contextmanager
def deciding(decision: Decision) -> Iterator[None]:
    """Everything appended inside rests on this decision."""
    token = _CURRENT.set(decision)
    try:
        yield
    finally:
        _CURRENT.reset(token)


async def note_granted(user_id: UUID, queries: Sequence[AccessQuery], allowed: Sequence[bool]) -> None:
    """Let the current decision, if any, rest on those of the queries that were answered with yes."""
    decision = _CURRENT.get()
    if decision is not None:
        async for some in InTurns(zip(queries, allowed, strict=True)):
            decision.rest_on(user_id, [query for query, yes in some if yes])


def note_readable(reader_id: UUID, user_ids: Iterable[UUID]) -> None:
    """Let the current decision, if any, rest on the right of a user to read these others."""
    decision = _CURRENT.get()
    if decision is not None:
        decision.readable.setdefault(reader_id, set()).update(user_ids)
