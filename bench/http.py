"""A keep-alive HTTP/1.1 client with little overhead: it sends requests that are encoded beforehand."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import orjson

HOST = "127.0.0.1"
HEAD_END = b"\r\n\r\n"


class Answer(NamedTuple):
    """An answer. `head` are the bytes of the status line and the headers."""

    status: int
    head: bytes
    body: bytes

    @property
    def position(self) -> int:
        """Return the value of X-Position."""
        return int(_header(self.head, b"x-position"))

    def json(self) -> Any:
        return orjson.loads(self.body)


def request(method: str, path: str, token: str, body: Any = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a request."""
    content = b"" if body is None else orjson.dumps(body)
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Authorization: Bearer {token}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines += ["Content-Type: application/vnd.api+json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection(asyncio.Protocol):
    """A connection that sends one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transport is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        end = received.find(HEAD_END)
        if end < 0:
            return
        head = received[:end]
        start = end + len(HEAD_END)
        length = int(_header(head, b"content-length") or 0)
        if len(received) >= start + length and self._answer is not None:
            self._received = b""
            status = int(head[9:12])
            self._answer.set_result(Answer(status, head, received[start : start + length]))

    async def ask(self, encoded: bytes) -> Answer:
        """Send an encoded request and return its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(encoded)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def connect(port: int) -> Connection:
    """Open a connection to a server on this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, HOST, port)
    return connection


def _header(head: bytes, name: bytes) -> bytes:
    place = head.lower().find(b"\r\n" + name + b":")
    return b"" if place < 0 else head[place + len(name) + 3 :].split(b"\r\n", 1)[0].strip()
