"""uvicorn's HTTP/1.1 protocol with limits on the time and size of requests before they reach a route (ruling O15).

A request that arrives whole needs no timer. A timer is set only for a request that is still incomplete after some of
its bytes have arrived.
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
from api.edge.joined_writes import JoinedWrites
from api.edge.middleware import CUT_OFF, REQUEST_ID, Header, Observed, private_headers, report


class Expected(Enum):
    """The part of a request that the client still has to send."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()


class PipelineTooLongError(Exception):
    """A client sent more requests ahead than the connection queues."""


class BoundedProtocol(HttpToolsProtocol):
    """The protocol of one connection."""

    def __init__(
        self, *args: Any, connections: Connections, headers: Sequence[Header], too_large: ASGIApp, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._connections = connections
        self._limits = connections.limits
        self._headers = headers
        self._too_large = too_large
        self._admitted = False
        self._counted: str | None = None
        self._ended = False
        self._whole: object = None  # the scope of the last request that has arrived whole
        self._awaited: tuple[object, Expected] = (None, Expected.HEAD)  # the scope, and its part that is awaited
        self._since = self.loop.time()  # the time since when it is awaited
        self._body_bytes = 0
        self._pending = 0  # bytes since the last complete head, piece of a body or end of a request
        self._max_head = 0  # upper bound of the size of the present head
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._unsent = 0

    # ------------------------------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
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
        self._pending = self._max_head = self._pending + len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # the service offers no upgrade and ignores the request for one
            self._ended = True
            self.shutdown()
        except httptools.HttpParserError:
            self._refuse(MalformedRequest())
        else:
            if self._pending > self._limits.head_bytes:
                self._refuse(HeadTooLarge())
            elif (expected := self._expected()) is not Expected.NOTHING:
                self._await(expected)
            elif not self._owes_an_answer():  # bytes between two requests
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )

    # ------------------------------------------------------------------------------------ callbacks of the parser

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= self._limits.pipelined:
            raise PipelineTooLongError
        served = self.app
        if len(self.headers) > self._limits.headers or self._head_too_large():
            self.app = self._too_large  # refused in order, after the requests before it
            self._ended = True
        super().on_headers_complete()
        self.app = served
        self.headers = []  # for trailers, which must not become headers (RFC 9110, section 6.5.1)
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
        """Return whether the head is too large; it is measured only if more bytes than the limit arrived with it."""
        if self._max_head <= self._limits.head_bytes:
            return False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return size > self._limits.head_bytes

    def _expected(self) -> Expected:
        """Return the part of the present request that the client still has to send; a head on a new connection."""
        if self.scope is self._whole:
            return Expected.HEAD if self.cycle is None else Expected.NOTHING
        begun = self.cycle is not None and self.cycle.scope is self.scope
        return Expected.BODY if begun else Expected.HEAD

    # ------------------------------------------------------------------------------------ slow clients

    def _await(self, expected: Expected) -> None:
        """Start the time for a newly expected part; the time for the first head started with the connection."""
        request, part = self._awaited
        if (request is not self.scope or part is not expected) and self.cycle is not None:
            self._awaited, self._since = (self.scope, expected), self.loop.time()
            if self._timer is not None:  # it is for another part, and perhaps later
                self._timer.cancel()
                self._timer = None
        self._watch()

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_at(self._deadline(), self._look)

    def _deadline(self) -> float:
        """Return the time by which the expected part has to arrive."""
        limits = self._limits
        if self._awaited[1] is Expected.HEAD:
            return self._since + limits.head_seconds
        allowed = limits.slow_seconds + self._body_bytes / limits.min_rate
        return self._since + min(limits.body_seconds, allowed)

    def _look(self) -> None:
        self._timer = None
        expected = self._expected()
        if self._ended or expected is Expected.NOTHING or self.transport.is_closing():
            return
        if self.flow.read_paused or (expected is Expected.HEAD and self._owes_an_answer()):
            self._since, self._body_bytes = self.loop.time(), 0  # the client waits for the service
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
        """Disconnect the client when it reads nothing of its answer for `stall_seconds`."""
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
        """Send the refusal, if no other answer has started, and close the connection."""
        request_id = str(uuid4())
        if self._expected() is Expected.BODY:
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
            self.shutdown()  # after the answers to the complete requests
            return
        elif self._admitted:
            report("any", "none", status_of(error), 0.0, request_id=request_id)
        self._end(self._rendered(error, request_id))

    def _end(self, answer: bytes) -> None:
        """Send the answer, and close later: closing while the client still sends would reset the connection."""
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
    """Return the function that creates the protocol of each new connection of this process."""
    limits = limits or ConnectionLimits(connections=settings.connections)
    return partial(
        BoundedProtocol,
        connections=Connections(limits),
        headers=private_headers(settings.public_url),
        too_large=Observed(refusal(HeadTooLarge()), settings.public_url),
    )
