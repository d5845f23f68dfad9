"""Reads from one snapshot with a known position (semantics 0.2, rulings A5, B1, B2, B4, G16).

A read is one function of its snapshot. It names the background read models that it reads; without any it reads only
tables that every append updates:

    async def group(group_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
        async def respond(read: Read) -> Response:
            row = await groups.group(read.cursor, group_id)
            return read.single(GroupDocument, resource(row))

        return await reading.read(("groups", "rosters"), respond)

The answer to a command has the position of the command's events. `execute` has waited for the read models before, so
that a client that ignores positions reads its own writes. If a read model did not reach the position in time, the
answer is rendered from what the command knows (ruling A5):

    async def change(…, execute: ExecuteDep, reading: ReadingDep) -> Response:
        outcome = await execute(identity.groups.change(…), about=group_id)

        async def respond(read: Read) -> Response:
            row = await (groups.group(read.cursor, group_id) if read.current else …)
            return read.single(GroupDocument, resource(row), outcome.status)

        return await reading.read_after(outcome, ("groups",), respond)

A command that knows all of its resource needs no snapshot: `single(IndividualDocument, resource, position, 201)`.
A command without a resource answers with `api.edge.envelope.answer(None, 201, position=outcome.position)`.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Protocol, TypeVar

from psycopg import AsyncConnection, AsyncCursor, sql
from starlette.requests import Request
from starlette.responses import Response

from adapters.postgres.outages import retry_if_lost
from api.documents.common import Listing, Meta, Single, SingleMeta
from api.edge.envelope import answer
from api.edge.errors import ReadModelBehind
from api.edge.execution import Outcome
from api.services import Services, services_of
from domain.core.errors import InvalidParameter, NotFound

AT_LEAST = "X-At-Least-Position"
MAX_POSITION = 2**63 - 1

TResource = TypeVar("TResource")
TAnswer = TypeVar("TAnswer")

_BEGIN = sql.SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ")
_HEAD = sql.SQL("SELECT position, 0, position FROM log_head WHERE log = 'identity'")
# Not ROLLBACK: after it psycopg forgets its prepared statements, and every statement is planned again.
_END = "COMMIT"
_LOWEST = sql.SQL(
    "SELECT coalesce(min(position), 0), count(*), (SELECT position FROM log_head WHERE log = 'identity')"
    " FROM projections WHERE name IN ({})"
)


@cache
def _opening(models: tuple[str, ...]) -> bytes:
    """Return two statements for one round trip. A pipeline would cost more than a query."""
    names = sql.SQL(", ").join(sql.Literal(name) for name in models)
    return (_BEGIN + (_LOWEST.format(names) if models else _HEAD)).as_bytes()


class Positioned(Protocol):
    """An answer with the position of its snapshot."""

    @property
    def position(self) -> int: ...


TPositioned = TypeVar("TPositioned", bound=Positioned)


class RequestedPage(Protocol):
    """The page of a list that a request asks for."""

    page_limit: int
    page_offset: int


class Read:
    """A snapshot: all queries through `cursor` see the same state, that of `position`.

    After a command, `current` tells whether the read models show its result.
    """

    def __init__(self, cursor: AsyncCursor, position: int, *, current: bool = True) -> None:
        self.cursor = cursor
        self.position = position
        self.current = current

    def single(self, document: type[Single[TResource]], resource: TResource, status: int = 200) -> Response:
        """Return a document of one resource."""
        return single(document, resource, self.position, status)

    def listing(
        self,
        document: type[Listing[TResource]],
        resources: Sequence[TResource],
        page: RequestedPage | None = None,
        total: int | None = None,
        status: int = 200,
    ) -> Response:
        """Return a document with a page of a list; without `page`, with the whole list (ruling D4)."""
        meta = self.meta(len(resources) if page is None else page.page_limit, 0 if page is None else page.page_offset,
                         len(resources) if total is None else total)  # fmt: skip
        return self.answer(document.model_construct(data=list(resources), meta=meta), status)

    def meta(self, limit: int, offset: int, total: int) -> Meta:
        """Return the `meta` of a list, for documents that are not plain listings."""
        return Meta.model_construct(page_limit=limit, page_offset=offset, page_total=total, position=self.position)

    def answer(self, document: Any, status: int = 200) -> Response:
        """Return any other document."""
        return answer(document, status, position=self.position)


def single(document: type[Single[TResource]], resource: TResource, position: int, status: int = 200) -> Response:
    """Return a document of one resource at the position, as it was read or as a command changed it."""
    meta = SingleMeta.model_construct(position=position)
    return answer(document.model_construct(data=resource, meta=meta), status, position=position)


class NotFoundInLaggingSnapshot(Exception):
    """A resource is not in a snapshot that lags behind the log; `head` is the head of the log."""

    def __init__(self, head: int) -> None:
        super().__init__()
        self.head = head


class Reading:
    """Opens snapshots for one request. Only a read is repeated after a NotFound, because it changes nothing."""

    def __init__(self, services: Services, at_least: int | None, *, is_read: bool = True) -> None:
        self._services = services
        self._at_least = at_least
        self._is_read = is_read

    async def read(self, models: Sequence[str], respond: Callable[[Read], Awaitable[TAnswer]]) -> TAnswer:
        """Return the result of `respond` in a snapshot in which these read models have reached the required position.

        If the request requires no position and `respond` raises NotFound in a snapshot that lags behind the log,
        `respond` is called again in a snapshot at the head of the log. Raises ReadModelBehind.
        """
        if self._is_read:  # the route repeats it if its connection is lost
            return await self._read(tuple(models), respond)
        return await retry_if_lost(lambda: self._read(tuple(models), respond))

    async def _read(self, models: tuple[str, ...], respond: Callable[[Read], Awaitable[TAnswer]]) -> TAnswer:
        try:
            return await self._read_at_least(self._at_least, models, respond)
        except NotFoundInLaggingSnapshot as not_found:
            head = not_found.head
        return await self._read_at_least(head, models, respond)

    async def read_after(
        self, outcome: Outcome, models: Sequence[str], respond: Callable[[Read], Awaitable[TAnswer]]
    ) -> TAnswer:
        """Return the result of `respond` in a snapshot for the answer to a command, without waiting for `models`.

        `execute` has waited for them; they may lag nevertheless.
        """
        affected = tuple(model for model in models if model in outcome.models)
        # the route repeats the answer to a recorded command, but not to one that hands out a secret
        return await retry_if_lost(lambda: self._read_after(outcome, affected, respond))

    async def _read_after(
        self, outcome: Outcome, affected: tuple[str, ...], respond: Callable[[Read], Awaitable[TAnswer]]
    ) -> TAnswer:
        async with self._services.pool.connection() as connection:
            position, _ = await self._begin(connection, affected)
            current = position >= outcome.position
            if outcome.visible and not current:
                self._services.positions.forget(affected)
            async with _ended(connection):
                return await respond(Read(connection.cursor(), outcome.position, current=current))

    async def _read_at_least(
        self, required: int | None, models: tuple[str, ...], respond: Callable[[Read], Awaitable[TAnswer]]
    ) -> TAnswer:
        """Return the result of `respond`. Raises ReadModelBehind; NotFoundInLaggingSnapshot if `required` is None."""
        deadline = time.monotonic() + self._services.settings.position_wait
        waited = False
        while True:
            async with self._services.pool.connection() as connection:
                position, head = await self._begin(connection, models)
                if required is None or position >= required:
                    try:
                        async with _ended(connection):
                            return await respond(Read(connection.cursor(), position))
                    except NotFound:
                        if self._is_read and required is None and position < head:
                            raise NotFoundInLaggingSnapshot(head) from None
                        raise
                await connection.execute(_END)
            # release the connection while waiting: the projector's progress must not depend on the pool
            if waited:
                self._services.positions.forget(models)
            await self._wait(models, required, deadline)
            waited = True

    def at_least(self, position: int) -> "Reading":
        """Return the same for reads that require this position or a later one."""
        return Reading(self._services, position, is_read=self._is_read)

    async def at_once(self, ask: Callable[[], Awaitable[TPositioned]]) -> TPositioned:
        """Return the answer of a single statement that includes its position: one round trip, no transaction.

        Ask again when the log reaches the position that the request requires. Raises ReadModelBehind.
        """
        deadline = time.monotonic() + self._services.settings.position_wait
        while True:
            result = await ask()
            if self._at_least is None or result.position >= self._at_least:
                return result
            await self._wait((), self._at_least, deadline)
            self._services.positions.forget(())

    async def _begin(self, connection: AsyncConnection, models: tuple[str, ...]) -> tuple[int, int]:
        """Start the snapshot. Return the lowest position of the read models in it, and the head of the log."""
        cursor = await connection.execute(_opening(models))
        cursor.nextset()
        row = await cursor.fetchone()
        assert row is not None
        position, count, head = row
        return int(position) if count == len(models) else 0, int(head)

    async def _wait(self, models: Sequence[str], position: int, deadline: float) -> None:
        seconds = deadline - time.monotonic()
        if seconds <= 0 or not await self._services.positions.reached(models, position, seconds):
            raise ReadModelBehind


@asynccontextmanager
async def _ended(connection: AsyncConnection) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await connection.execute(_END)


def at_least(request: Request) -> int | None:
    """Return the position in X-At-Least-Position, if any. Raises InvalidParameter."""
    text = request.headers.get(AT_LEAST)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= MAX_POSITION):
        raise InvalidParameter("Input should be a position: a whole number from 0 to 2^63-1.", parameter=AT_LEAST)
    return int(text)


async def reading(request: Request) -> Reading:
    """Return the reading of this request; commands ignore X-At-Least-Position."""
    reads = getattr(request.scope.get("route"), "reads", True)
    return Reading(services_of(request), at_least(request) if reads else None, is_read=reads)
