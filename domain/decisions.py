"""The decision that is being made for a caller: which rights it rests on, and how far the log was when it began.

A command that is appended after the event that ended its right does not exist (ruling O7). So the store compares what
stands here with what happened since, under the lock under which it appends.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from domain.ports import AccessQuery
from domain.turns import InTurns


@dataclass(eq=False)
class Decision:
    """`position` is that of the log when the session was looked up, so none of the rights is older.

    `granted` are the queries that were answered with yes, and `readable` the users whom a caller was found to be
    allowed to read: both by the user whose right it is.
    """

    actor: UUID
    session: UUID
    position: int
    granted: dict[tuple[UUID, AccessQuery], None] = field(default_factory=dict)
    readable: dict[UUID, set[UUID]] = field(default_factory=dict)

    def subjects(self) -> set[UUID]:
        """The ids of everything that the decision rests on."""
        named = {query.resource_id for _, query in self.granted if isinstance(query.resource_id, UUID)}
        return named.union({self.actor, self.session}, *self.readable.values())


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
            decision.granted |= {(user_id, query): None for query, yes in some if yes}


def note_readable(caller_id: UUID, user_ids: Iterable[UUID]) -> None:
    """Let the current decision, if any, rest on the caller's right to read these users."""
    decision = _CURRENT.get()
    if decision is not None:
        decision.readable.setdefault(caller_id, set()).update(user_ids)
