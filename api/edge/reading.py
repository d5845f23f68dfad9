"""Reads from one snapshot whose position is known (semantics 0.2, rulings A5, B1, B2, B4, G16).

A read is one function of its snapshot. It names the background read models it looks at; without a name it rests on
what every append keeps current:

    async def group(group_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
        async def respond(read: Read) -> Response:
            row = await groups.group(read.cursor, group_id)
            return read.single(GroupDocument, resource(row))

        return await reading.read(("groups", "rosters"), respond)

The answer to a command is of the position that the command was recorded at. `execute` has waited for the read models
before, so that a client that ignores positions reads its own writes; where one did not get there in time, the answer
is made of what the command knows (ruling A5):

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

from api.documents.common import Listing, Meta, Single, SingleMeta
from api.edge.envelope import answer
from api.edge.errors import ReadModelBehind
from api.edge.execution import Outcome
from api.services import Services, services_of
from domain.core.errors import InvalidParameter, NotFound

AT_LEAST = "X-At-Least-Position"
LARGEST_POSITION = 2**63 - 1

TResource = TypeVar("TResource")
TAnswer = TypeVar("TAnswer")

_BEGIN = sql.SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ")
_HEAD = sql.SQL("SELECT position, 0, position FROM log_head WHERE log = 'identity'")
# Not ROLLBACK: psycopg then forgets all that it has prepared on the connection, and every statement is planned anew.
_END = "COMMIT"
_LOWEST = sql.SQL(
    "SELECT coalesce(min(position), 0), count(*), (SELECT position FROM log_head WHERE log = 'identity')"
    " FROM projections WHERE name IN ({})"
)


@cache
def _opening(models: tuple[str, ...]) -> bytes:
    """Two statements in one round trip without a pipeline, whose machinery costs more than a query does."""
    names = sql.SQL(", ").join(sql.Literal(name) for name in models)
    return (_BEGIN + (_LOWEST.format(names) if models else _HEAD)).as_bytes()


class Positioned(Protocol):
    """An answer that says of which position it is."""

    @property
    def position(self) -> int: ...


TPositioned = TypeVar("TPositioned", bound=Positioned)


class PageAsked(Protocol):
    """The page that a list was asked for."""

    @property
    def page_limit(self) -> int: ...
    @property
    def page_offset(self) -> int: ...


class Read:
    """A snapshot: all queries through `cursor` see the same state, that of `position`.

    After a command `current` tells whether the read models show it.
    """

    def __init__(self, cursor: AsyncCursor, position: int, *, current: bool = True) -> None:
        self.cursor = cursor
        self.position = position
        self.current = current

    def single(self, document: type[Single[TResource]], resource: TResource, status: int = 200) -> Response:
        """A document about one thing."""
        return single(document, resource, self.position, status)

    def listing(
        self,
        document: type[Listing[TResource]],
        resources: Sequence[TResource],
        page: PageAsked | None = None,
        total: int | None = None,
        status: int = 200,
    ) -> Response:
        """A page of a list; without `page` the list is answered whole (ruling D4)."""
        meta = self.meta(len(resources) if page is None else page.page_limit, 0 if page is None else page.page_offset,
                         len(resources) if total is None else total)  # fmt: skip
        return self.answer(document.model_construct(data=list(resources), meta=meta), status)

    def meta(self, limit: int, offset: int, total: int) -> Meta:
        """`meta` of a list, for documents that are no plain listings."""
        return Meta.model_construct(page_limit=limit, page_offset=offset, page_total=total, position=self.position)

    def answer(self, document: Any, status: int = 200) -> Response:
        """Any other document."""
        return answer(document, status, position=self.position)


def single(document: type[Single[TResource]], resource: TResource, position: int, status: int = 200) -> Response:
    """A document about one thing as it is at the position: as it was read, or as a command has left it."""
    meta = SingleMeta.model_construct(position=position)
    return answer(document.model_construct(data=resource, meta=meta), status, position=position)


class NotThereYet(Exception):
    """Something is not in a snapshot that is behind the log, whose head was at `head`."""

    def __init__(self, head: int) -> None:
        super().__init__()
        self.head = head


class Reading:
    """Opens snapshots for one request. Only of a read, which changes nothing, is a NotFound asked about again."""

    def __init__(self, services: Services, at_least: int | None, *, is_read: bool = True) -> None:
        self._services = services
        self._at_least = at_least
        self._is_read = is_read

    async def read(self, models: Sequence[str], respond: Callable[[Read], Awaitable[TAnswer]]) -> TAnswer:
        """Return what `respond` makes of a snapshot in which these read models are where the request wants them.

        Where the request wants nothing of them, a NotFound out of a snapshot that is behind the log is not believed:
        `respond` is called once more in one that has what the log had then. Raises ReadModelBehind.
        """
        try:
            return await self._read_at_least(self._at_least, tuple(models), respond)
        except NotThereYet as missing:
            head = missing.head
        return await self._read_at_least(head, tuple(models), respond)

    async def read_after(
        self, outcome: Outcome, models: Sequence[str], respond: Callable[[Read], Awaitable[TAnswer]]
    ) -> TAnswer:
        """Return what `respond` makes of a snapshot for the answer to a command, at once: `execute` has waited.

        Of these models it may be behind.
        """
        looking = tuple(each for each in models if each in outcome.models)
        async with self._services.pool.connection() as connection:
            position, _ = await self._begin(connection, looking)
            current = position >= outcome.position
            if outcome.visible and not current:
                self._services.positions.forget(looking)
            async with _ended(connection):
                return await respond(Read(connection.cursor(), outcome.position, current=current))

    async def _read_at_least(
        self, wanted: int | None, models: tuple[str, ...], respond: Callable[[Read], Awaitable[TAnswer]]
    ) -> TAnswer:
        """Raises NotThereYet, when nothing is wanted, and ReadModelBehind."""
        deadline = time.monotonic() + self._services.settings.position_wait
        told = False
        while True:
            async with self._services.pool.connection() as connection:
                position, head = await self._begin(connection, models)
                if wanted is None or position >= wanted:
                    try:
                        async with _ended(connection):
                            return await respond(Read(connection.cursor(), position))
                    except NotFound:
                        if self._is_read and wanted is None and position < head:
                            raise NotThereYet(head) from None
                        raise
                await connection.execute(_END)
            # the connection is given back while this waits: the projector's progress must not depend on the pool
            if told:
                self._services.positions.forget(models)
            await self._wait(models, wanted, deadline)
            told = True

    def at_least(self, position: int) -> "Reading":
        """The same for what must be read at this position or later."""
        return Reading(self._services, position, is_read=self._is_read)

    async def at_once(self, ask: Callable[[], Awaitable[TPositioned]]) -> TPositioned:
        """What a single statement answers together with its position: no transaction, one round trip.

        Asked again once the log is where the request wants it. Raises ReadModelBehind.
        """
        deadline = time.monotonic() + self._services.settings.position_wait
        while True:
            answered = await ask()
            if self._at_least is None or answered.position >= self._at_least:
                return answered
            await self._wait((), self._at_least, deadline)
            self._services.positions.forget(())

    async def _begin(self, connection: AsyncConnection, models: tuple[str, ...]) -> tuple[int, int]:
        """Starts the snapshot; the lowest position of the read models in it, and the log's."""
        cursor = await connection.execute(_opening(models))
        cursor.nextset()
        row = await cursor.fetchone()
        assert row is not None
        position, found, head = row
        return int(position) if found == len(models) else 0, int(head)

    async def _wait(self, models: Sequence[str], wanted: int, deadline: float) -> None:
        seconds = deadline - time.monotonic()
        if seconds <= 0 or not await self._services.positions.reached(models, wanted, seconds):
            raise ReadModelBehind


@asynccontextmanager
async def _ended(connection: AsyncConnection) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await connection.execute(_END)


def at_least(request: Request) -> int | None:
    """What X-At-Least-Position asks for. Raises InvalidParameter."""
    text = request.headers.get(AT_LEAST)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= LARGEST_POSITION):
        raise InvalidParameter("Input should be a position: a whole number from 0 to 2^63-1.", parameter=AT_LEAST)
    return int(text)


async def reading(request: Request) -> Reading:
    """The reading of this request; commands ignore X-At-Least-Position."""
    reads = getattr(request.scope.get("route"), "reads", True)
    return Reading(services_of(request), at_least(request) if reads else None, is_read=reads)
