"""What the domain needs of the outside world, as protocols. Adapters and projections implement them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import wraps
from random import random
from typing import Any, Literal, NamedTuple, ParamSpec, Protocol, TypeVar, overload
from uuid import UUID

from domain.core.audited import Audited
from domain.core.errors import LostRace
from domain.core.stream_locks import lock_streams

TAggregate = TypeVar("TAggregate", bound=Audited)
TOne = TypeVar("TOne", bound=Audited)
TOther = TypeVar("TOther", bound=Audited)
TThird = TypeVar("TThird", bound=Audited)
P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 100
"""Of a command. Of many processes that change one thing at once one comes through each time."""
PAUSE, MAX_PAUSE = 0.001, 0.02
"""Seconds: what the longest pause grows by with each further attempt, and up to."""


class Store(Protocol):
    """An ordered event log, seen as aggregates."""

    async def find(self, kind: type[TAggregate], aggregate_id: UUID) -> TAggregate | None:
        """The aggregate as its events made it, None when it has none."""
        ...

    async def get(self, kind: type[TAggregate], aggregate_id: UUID) -> TAggregate:
        """The aggregate as its events made it. Raises NotFound when it has none."""
        ...

    async def get_many(self, kind: type[TAggregate], aggregate_ids: Iterable[UUID]) -> dict[UUID, TAggregate]:
        """Those that exist, by id, in the order given: in one round trip, or in several when they are very many."""
        ...

    @overload
    async def find_each(
        self, one: tuple[type[TOne], UUID], other: tuple[type[TOther], UUID], /
    ) -> tuple[TOne | None, TOther | None]: ...
    @overload
    async def find_each(
        self, one: tuple[type[TOne], UUID], other: tuple[type[TOther], UUID], third: tuple[type[TThird], UUID], /
    ) -> tuple[TOne | None, TOther | None, TThird | None]: ...
    async def find_each(self, *wanted: tuple[type[Audited], UUID]) -> tuple[Audited | None, ...]:
        """As `find`, for several kinds in one round trip."""
        ...

    async def save(self, *aggregates: Audited, unchanged: Sequence[Audited] = (), result: UUID | None = None) -> int:
        """Append all pending events in one transaction, all or nothing.

        `result` is the id of what the command made or found, where the request does not name it: a retry of the
        request with its Idempotency-Key is answered with it.

        Returns the position of the last event appended, or, when there was nothing to append, the head of the
        log that was decided on. Raises LostRace when one of the aggregates, or of those in `unchanged` (which
        the decision rests on), has got further events meanwhile; AlreadyExists when something unique is taken.
        """
        ...


async def save_resting_on(
    store: Store, *aggregates: Audited, unchanged: Sequence[Audited] = (), result: UUID | None = None
) -> int:
    """Save as `Store.save` does, and have those of the aggregates that did not change rest as they were seen."""
    changed = [each for each in aggregates if each.pending_events]
    seen = {each.stream_of(each.id): each for each in (*aggregates, *unchanged) if not each.pending_events}
    return await store.save(*changed, unchanged=list(seen.values()), result=result)


def retry_on_conflict(command: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Run the command again from the start when it lost a race, ATTEMPTS times at most.

    Commands of this process that lost a race for the same streams take turns; against those of other processes, which
    do not, a pause of random length helps.
    """

    @wraps(command)
    async def deciding(*args: P.args, **kwargs: P.kwargs) -> R:
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

    return deciding


Operation = Literal["read", "write", "contain"]
LISTABLE = ("group", "individual", "organization")
"""Types of resources that can be listed, and asked for without an id."""


class AccessQuery(NamedTuple):
    """`type:id:operation` (semantics 6.1). `resource_id` is None for "any"; text for system and app.*."""

    resource_type: str
    resource_id: UUID | str | None
    operation: Operation


class Access(Protocol):
    """The authorization engine, as the domain asks it."""

    async def decide(self, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
        """Return one answer per query, all from one snapshot that holds every command answered so far."""
        ...

    async def readable_users(self, user_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
        """Return those of `user_ids` that the user may read (semantics 4, ruling E3).

        Themselves; those inside an organization whose provider they are, that is its providers and the owners of
        individuals shared with it; for staff and services all that exist.
        """
        ...


class Hasher(Protocol):
    """Password hashing, off the event loop and bounded."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, password: str, hashed: str | None) -> bool:
        """False for a wrong password; takes as long when `hashed` is None. Raises TooMany when overloaded."""
        ...


Lookup = Callable[[str, str], bytes]
"""(kind, value) to the keyed hash under which the value is found again (HMAC-SHA-256)."""


class Claims(NamedTuple):
    """What an access token says, once its signature, issuer, audience and time were found good."""

    user_id: UUID
    session_id: UUID
    organization_id: UUID | None
    expires_at: int
    impersonator: UUID | None = None


class TokenVerifier(Protocol):
    """Reads access tokens."""

    def verify(self, token: str) -> Claims:
        """Raises TokenExpired; Unauthenticated for whatever else is wrong with it."""
        ...
