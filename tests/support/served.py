"""A real server on a real socket, and a client that sends exactly what a test says."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson
import uvicorn
import uvloop
from starlette.types import ASGIApp

from adapters.settings import Settings
from api.edge.connections import ConnectionLimits
from api.edge.protocol import bounded_protocol
from tests.support.processes import wait_until
from workers.running.serving import server_config

PATIENCE = 20.0


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def codes(self) -> list[str]:
        return [error["code"] for error in orjson.loads(self.body)["errors"]]


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._received = b""

    def send(self, *parts: bytes) -> "Client":
        for part in parts:
            self._socket.sendall(part)
        return self

    def answer(self) -> Answer:
        """The next answer; all that we serve say how long they are."""
        while b"\r\n\r\n" not in self._received:
            self._read()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers["content-length"])
        while len(self._received) < length:
            self._read()
        body, self._received = self._received[:length], self._received[length:]
        return Answer(int(status.split()[1]), headers, body)

    def ended(self) -> bool:
        """Whether the server closes the connection without another byte."""
        try:
            return not self._received and not self._socket.recv(1)
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        received = self._socket.recv(65536)
        assert received, f"closed after {self._received!r}"
        self._received += received


class Served:
    """A running server, and the connections to it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients: list[Client] = []

    def client(self, *sent: bytes) -> Client:
        """A new connection on which this was sent."""
        self._clients.append(Client(self._port))
        return self._clients[-1].send(*sent)

    def close(self) -> None:
        for client in self._clients:
            client.close()


@contextmanager
def served(app: ASGIApp, *, keep_alive: int = 75, **limits: Any) -> Iterator[Served]:
    """A server with these limits, on the loop that is used in production."""
    protocol = bounded_protocol(Settings.model_construct(), ConnectionLimits(**limits))
    server = uvicorn.Server(server_config(app, protocol, keep_alive))
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        serving = threading.Thread(target=lambda: uvloop.run(server.serve(sockets=[listening])))
        serving.start()
        running = Served(listening.getsockname()[1])
        try:
            wait_until(lambda: server.started)
            yield running
        finally:
            running.close()
            server.should_exit = True
            serving.join()
