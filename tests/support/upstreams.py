"""Another service on loopback, as anonymous accesses reach it."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    """A request that the service got; the names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Upstream:
    """Answers everything with `status`, `headers` and `body`, after `held` and, for the second half, `half_held`."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    body: bytes = b'{"ok":true}'
    announced: int | None = None
    received: list[Received] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    half_held: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def an_upstream() -> Iterator[Upstream]:
    """A server that runs in a thread; `announced` replaces the length of the body that it announces."""
    upstream = Upstream()
    upstream.held.set()
    upstream.half_held.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            upstream.received.append(Received(self.command, self.path, headers, sent))
            upstream.held.wait(30)
            with contextlib.suppress(ConnectionError):  # the client may have given up
                self.send_response(upstream.status)
                length = len(upstream.body) if upstream.announced is None else upstream.announced
                for name, value in {**upstream.headers, "Content-Length": str(length)}.items():
                    self.send_header(name, value)
                self.end_headers()
                half = len(upstream.body) // 2
                self.wfile.write(upstream.body[:half])
                self.wfile.flush()
                upstream.half_held.wait(30)
                self.wfile.write(upstream.body[half:])
            self.close_connection = upstream.announced is not None

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that the base class calls

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        upstream.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield upstream
    finally:
        upstream.held.set()
        upstream.half_held.set()
        server.shutdown()
        serving.join()
        server.server_close()
