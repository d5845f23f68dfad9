"""HTTP/1.1 as uvicorn speaks it, with bounds on what clients may take before any route is asked (ruling O15).

A request that comes whole costs no timer. Only what is still incomplete after the bytes that have come is looked at
again, when its time could be over.
"""

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import partial
from typing import Any, cast
from uuid import uuid4

import httptools
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from adapters.settings import Settings
from api.edge.connections import ConnectionLimits, Connections
from api.edge.errors import (
    EndsConnection,
    HeadTooLarge,
    MalformedRequest,
    RequestTimeout,
    TooManyConnections,
    refusal,
    status_of,
)
from api.edge.middleware import CUT_OFF, REQUEST_ID, Header, Observed, private_headers, report


class Part(Enum):
    """What of a request is still to come."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()


class PipelineTooLongError(Exception):
    """More requests were sent ahead than are queued."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self, *given: Any, connections: Connections, headers: Sequence[Header], too_large: ASGIApp, **more: Any
    ) -> None:
        super().__init__(*given, **more)
        self._connections = connections
        self._limits = connections.limits
        self._headers = headers
        self._too_large = too_large
        self._admitted = False
        self._counted: str | None = None
        self._ended = False
        self._whole: object = None  # the scope of the last request that has come whole
        self._awaited: tuple[object, Part] = (None, Part.HEAD)  # of which scope what is waited for
        self._since = self.loop.time()  # since when
        self._body_bytes = 0
        self._pending = 0  # bytes that have come since the last whole head, piece of a body or end of a request
        self._most = 0  # bytes that the present head can have at the most
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._unsent = 0

    # ------------------------------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        host = self.client[0] if self.client else None
        gateway = isinstance(self.app, ProxyHeadersMiddleware) and host in self.app.trusted_hosts
        self._counted = None if gateway else host
        self._admitted = self._connections.admit(self._counted)
        if self._admitted:
            self._watch()
        elif self._connections.linger():
            self._refuse(TooManyConnections())
        else:
            self._ended = True
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._admitted:
            self._connections.release(self._counted)
        else:
            self._connections.end_lingering()
        for timer in (self._timer, self._stall):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self._stop_keep_alive()
        self._pending = self._most = self._pending + len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # none is offered: answered as if it had not been asked for
            self._ended = True
            self.shutdown()
        except httptools.HttpParserError:
            self._refuse(MalformedRequest())
        else:
            if self._pending > self._limits.head_bytes:
                self._refuse(HeadTooLarge())
            elif (expected := self._expected()) is not Part.NOTHING:
                self._await(expected)
            elif not self._owes_an_answer():  # bytes between two requests
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )

    # ------------------------------------------------------------------------------------ what the parser finds

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= self._limits.pipelined:
            raise PipelineTooLongError
        served = self.app
        if len(self.headers) > self._limits.headers or self._head_too_large():
            self.app = self._too_large  # in its turn, behind what was sent ahead
            self._ended = True
        super().on_headers_complete()
        self.app = served
        self.headers = []  # for trailers, which must not pass for headers (RFC 9110, section 6.5.1)
        self._pending = self._body_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._pending = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._pending = 0
        self._whole = self.scope
        super().on_message_complete()

    def _head_too_large(self) -> bool:
        """Whether the head that has come is; it is measured only when more bytes than it may have came with it."""
        if self._most <= self._limits.head_bytes:
            return False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return size > self._limits.head_bytes

    def _expected(self) -> Part:
        """What is still to come of the request that has begun; a head on a connection that is new."""
        if self.scope is self._whole:
            return Part.HEAD if self.cycle is None else Part.NOTHING
        begun = self.cycle is not None and self.cycle.scope is self.scope
        return Part.BODY if begun else Part.HEAD

    # ------------------------------------------------------------------------------------ clients that are slow

    def _await(self, expected: Part) -> None:
        """Begin its time when it was not awaited before; that of the first head has begun with the connection."""
        request, part = self._awaited
        if (request is not self.scope or part is not expected) and self.cycle is not None:
            self._awaited, self._since = (self.scope, expected), self.loop.time()
            if self._timer is not None:  # of something else, and perhaps later
                self._timer.cancel()
                self._timer = None
        self._watch()

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_at(self._deadline(), self._look)

    def _deadline(self) -> float:
        """When what is expected has to be there."""
        limits = self._limits
        if self._awaited[1] is Part.HEAD:
            return self._since + limits.head_seconds
        earned = limits.slow_seconds + self._body_bytes / limits.min_rate
        return self._since + min(limits.body_seconds, earned)

    def _look(self) -> None:
        self._timer = None
        expected = self._expected()
        if self._ended or expected is Part.NOTHING or self.transport.is_closing():
            return
        if self.flow.read_paused or (expected is Part.HEAD and self._owes_an_answer()):
            self._since, self._body_bytes = self.loop.time(), 0  # the client waits for us
        if self._deadline() > self.loop.time():
            self._watch()
        else:
            self._refuse(RequestTimeout())

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_unsent()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_unsent()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_unsent()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self.transport.is_closing():
            self._watch_unsent()

    def _watch_unsent(self) -> None:
        """Cut the client off when it takes nothing of what is ready for it."""
        if self._stall is None:
            self._unsent = self.transport.get_write_buffer_size()
            self._stall = self.loop.call_later(self._limits.stall_seconds, self._look_at_unsent)

    def _look_at_unsent(self) -> None:
        self._stall = None
        before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        if self._unsent and self._unsent >= before:
            self.transport.abort()
        elif self._unsent:
            self._watch_unsent()

    # ------------------------------------------------------------------------------------ the end

    def _refuse(self, error: EndsConnection) -> None:
        """Tell the client why, where that can still be told, and close the connection."""
        request_id = str(uuid4())
        if self._expected() is Part.BODY:
            if self.cycle.response_started or self.pipeline:
                self._end(b"")
                return
            scope = cast(dict[str, Any], self.cycle.scope)
            scope[CUT_OFF] = status_of(error)
            request_id = scope.get(REQUEST_ID, request_id)
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        elif self._owes_an_answer():
            self._ended = True
            self.shutdown()  # once what came whole is answered
            return
        elif self._admitted:
            report("any", "none", status_of(error), 0.0, request_id=request_id)
        self._end(self._rendered(error, request_id))

    def _end(self, answer: bytes) -> None:
        """Send the answer, and close once the client could read it: what it still sends would reset the connection."""
        self._ended = True
        self._stop_keep_alive()
        self.transport.write(answer)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(self._limits.linger_seconds, self.transport.abort)

    def _rendered(self, error: EndsConnection, request_id: str) -> bytes:
        response = refusal(error)
        own = (b"x-request-id", request_id.encode())
        fields = [*self.server_state.default_headers, *response.raw_headers, own, *self._headers]
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        return b"%b%b\r\n%b" % (STATUS_LINE[response.status_code], lines, bytes(response.body))

    def _owes_an_answer(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _stop_keep_alive(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None


def bounded_protocol(settings: Settings, limits: ConnectionLimits | None = None) -> Callable[..., asyncio.Protocol]:
    """Return what makes the protocol of each new connection of this process."""
    limits = limits or ConnectionLimits(connections=settings.connections)
    return partial(
        BoundedProtocol,
        connections=Connections(limits),
        headers=private_headers(settings.public_url),
        too_large=Observed(refusal(HeadTooLarge()), settings.public_url),
    )
