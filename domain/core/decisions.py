"""Decisions: the rights on which a command of a caller rests, and the position of the log at which they were read.

No command may be appended after an event that ended its right (ruling O7). So the store compares the decision with the
events since its position, under the lock of the append.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from domain.core.context import bound
from domain.core.ports import LISTABLE, AccessQuery
from domain.core.turns import InTurns


@dataclass(eq=False)
class Decision:
    """What a command rests on.

    `position` is the position of the log at which the session was looked up; all rights were read at it or later. An
    impersonated session counts only while `opened_from`, the session of the `impersonator`, does (ruling K130).
    `granted` are the granted queries with the user whose right each is; `readable` are the users that a user may read.
    `always_rechecked` is true if recorded losses cannot tell that one of the rights has ended: a right on any resource
    of a type, and "contain", end by events that name neither the user nor the resource.
    """

    actor: UUID
    session: UUID
    position: int
    impersonator: UUID | None = None
    opened_from: UUID | None = None
    granted: dict[tuple[UUID, AccessQuery], None] = field(init=False, default_factory=dict)
    readable: dict[UUID, set[UUID]] = field(init=False, default_factory=dict)
    always_rechecked: bool = field(init=False, default=False)

    def rest_on(self, user_id: UUID, queries: Collection[AccessQuery]) -> None:
        """Add granted queries to what the decision rests on."""
        self.granted |= {(user_id, query): None for query in queries}
        self.always_rechecked = self.always_rechecked or any(map(_ends_unnamed, queries))

    def subjects(self) -> set[UUID]:
        """Return the ids of all users, sessions and resources that the decision rests on."""
        resources = {query.resource_id for _, query in self.granted if isinstance(query.resource_id, UUID)}
        session = (self.actor, self.session, self.impersonator, self.opened_from)
        return resources.union((each for each in session if each is not None), *self.readable.values())


def _ends_unnamed(query: AccessQuery) -> bool:
    return query.operation == "contain" or (query.resource_id is None and query.resource_type in LISTABLE)


class Losses(NamedTuple):
    """Rights that events may have ended: those on these subjects, or all rights if `any_right` is true."""

    subjects: frozenset[UUID]
    any_right: bool


_CURRENT: ContextVar[Decision | None] = ContextVar("decision", default=None)


def current_decision() -> Decision | None:
    """Return the present decision; None for jobs, bootstrap and callers without a token."""
    return _CURRENT.get()


def deciding(decision: Decision) -> AbstractContextManager[Decision]:
    """Let everything that is appended inside rest on this decision."""
    return bound(_CURRENT, decision)


async def note_granted(user_id: UUID, queries: Sequence[AccessQuery], allowed: Sequence[bool]) -> None:
    """Let the present decision, if any, rest on the granted queries."""
    decision = _CURRENT.get()
    if decision is not None:
        async for batch in InTurns(zip(queries, allowed, strict=True)):
            decision.rest_on(user_id, [query for query, granted in batch if granted])


def note_readable(reader_id: UUID, user_ids: Iterable[UUID]) -> None:
    """Let the present decision, if any, rest on the right of a user to read these users."""
    decision = _CURRENT.get()
    if decision is not None:
        decision.readable.setdefault(reader_id, set()).update(user_ids)
