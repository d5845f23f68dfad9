"""The ports of the domain: protocols that adapters and projections implement."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import wraps
from random import random
from typing import Any, Literal, NamedTuple, ParamSpec, Protocol, TypeVar, overload
from uuid import UUID

from domain.core.audited import Audited
from domain.core.errors import LostRace, NotFound
from domain.core.stream_locks import lock_streams

TAggregate = TypeVar("TAggregate", bound=Audited)
TOne = TypeVar("TOne", bound=Audited)
TOther = TypeVar("TOther", bound=Audited)
TThird = TypeVar("TThird", bound=Audited)
P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 100
"""Attempts of one command. Of several processes that change the same stream, one succeeds each time."""
PAUSE, MAX_PAUSE = 0.001, 0.02
"""Seconds. The maximal pause before an attempt grows by PAUSE with each attempt, up to MAX_PAUSE."""


class Store(Protocol):
    """An ordered event log that loads and saves aggregates. Implementations inherit from it."""

    async def find(self, kind: type[TAggregate], aggregate_id: UUID) -> TAggregate | None:
        """Return the aggregate; None when it has no events."""
        ...

    async def get(self, kind: type[TAggregate], aggregate_id: UUID) -> TAggregate:
        """Return the aggregate. Raises NotFound when it has no events."""
        aggregate = await self.find(kind, aggregate_id)
        if aggregate is None:
            raise NotFound
        return aggregate

    async def get_many(self, kind: type[TAggregate], aggregate_ids: Iterable[UUID]) -> dict[UUID, TAggregate]:
        """Return the aggregates that exist, by id and in the given order: very many of them in several round trips."""
        ...

    @overload
    async def find_each(
        self, one: tuple[type[TOne], UUID], other: tuple[type[TOther], UUID], /
    ) -> tuple[TOne | None, TOther | None]: ...
    @overload
    async def find_each(
        self, one: tuple[type[TOne], UUID], other: tuple[type[TOther], UUID], third: tuple[type[TThird], UUID], /
    ) -> tuple[TOne | None, TOther | None, TThird | None]: ...
    @overload
    async def find_each(self, *references: tuple[type[Audited], UUID]) -> tuple[Audited | None, ...]: ...
    async def find_each(self, *references: tuple[type[Audited], UUID]) -> tuple[Audited | None, ...]:
        """Return aggregates of several kinds, each as `find` does, in one round trip."""
        ...

    async def save(self, *aggregates: Audited, unchanged: Sequence[Audited] = (), result: UUID | None = None) -> int:
        """Append all pending events of the aggregates in one transaction.

        Return the position of the last event; without events, the head of the log on which the decision rests.

        `result` is the id of what the command created or found, if the request does not name it; a retry with the
        same Idempotency-Key is answered with it. `unchanged` are further aggregates on which the decision rests.

        Raises LostRace when another command has appended events to one of these aggregates meanwhile; AlreadyExists
        when a unique value is taken.
        """
        ...


async def save_resting_on(
    store: Store, *aggregates: Audited, unchanged: Sequence[Audited] = (), result: UUID | None = None
) -> int:
    """Save the aggregates as `Store.save` does; those without pending events count as `unchanged`."""
    changed = [aggregate for aggregate in aggregates if aggregate.pending_events]
    not_changed = {
        aggregate.stream_of(aggregate.id): aggregate
        for aggregate in (*aggregates, *unchanged)
        if not aggregate.pending_events
    }
    return await store.save(*changed, unchanged=list(not_changed.values()), result=result)


def retry_on_conflict(command: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Run the command again from its start after a lost race, at most ATTEMPTS times.

    Commands of this process that lost a race for the same streams lock them. Between commands of several processes, a
    pause of random length separates the attempts.
    """

    @wraps(command)
    async def attempt_command(*args: P.args, **kwargs: P.kwargs) -> R:
        contended: frozenset[UUID] = frozenset()
        attempts = iter(range(1, ATTEMPTS + 1))
        while True:
            async with lock_streams(contended):
                for attempt in attempts:
                    try:
                        return await command(*args, **kwargs)
                    except LostRace as lost:
                        if attempt == ATTEMPTS:
                            raise
                        if not lost.streams <= contended:
                            contended |= lost.streams
                            break
                    await asyncio.sleep(random() * min(MAX_PAUSE, attempt * PAUSE))  # noqa: S311 - nothing secret

    return attempt_command


Operation = Literal["read", "write", "contain"]
LISTABLE = ("group", "individual", "organization")
"""Types of resources that can be listed, and for which queries may lack an id."""


class AccessQuery(NamedTuple):
    """A query `type:id:operation` (semantics 6.1). `resource_id` is None for any resource, text for system and app."""

    resource_type: str
    resource_id: UUID | str | None
    operation: Operation


class Access(Protocol):
    """The authorization engine."""

    async def decide(self, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
        """Return one answer for each query, all from one snapshot that includes every command answered so far."""
        ...

    async def readable_users(self, user_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
        """Return the `user_ids` that the user may read (semantics 4, ruling E3).

        Users may read themselves. A provider may read the other providers of their organizations and the owners of
        individuals that are shared with these, unless they are archived. Staff and services may read all users.
        """
        ...


class Hasher(Protocol):
    """Hashes passwords outside of the event loop, a limited number at a time."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Return whether the password is right; without a hash, False after the same time. Raises TooMany."""
        ...


Lookup = Callable[[str, str], bytes]
"""Returns the keyed hash (HMAC-SHA-256) of a value of a kind, by which the value can be looked up."""


class Claims(NamedTuple):
    """The claims of an access token whose signature, issuer, audience and time are valid."""

    user_id: UUID
    session_id: UUID
    organization_id: UUID | None
    expires_at: int


class TokenVerifier(Protocol):
    """Verifies access tokens."""

    def verify(self, token: str) -> Claims:
        """Return the claims of the token. Raises TokenExpired, and Unauthenticated for every other fault."""
        ...
