"""A range service of breached passwords on loopback (ruling K17)."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support.http_servers import Quiet, an_http_server

PADDING = ["0" * 35 + ":0", "F" * 35 + ":0"]


@dataclass
class RangeService:
    """Knows passwords, each seen 3 times. `status` and `lines` replace its answer if set; `held` keeps it back."""

    known: list[str]
    url: str = ""
    status: int = 200
    lines: list[str] | None = None
    held: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def answer(self, prefix: str) -> str:
        hashes = [hashlib.sha1(password.encode()).hexdigest().upper() for password in self.known]
        found = [f"{each[5:]}:3" for each in hashes if each[:5] == prefix]
        return "\r\n".join([PADDING[0], *found, PADDING[1]] if self.lines is None else self.lines)


@contextlib.contextmanager
def a_range_service(*known: str) -> Iterator[RangeService]:
    service = RangeService(list(known))
    service.held.set()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            service.held.wait(30)
            with contextlib.suppress(ConnectionError):  # the client may have given up
                self.send_response(service.status)
                self.end_headers()
                self.wfile.write(service.answer(self.path.rpartition("/")[2]).encode())

    with an_http_server(Handler) as url:
        service.url = f"{url}/range"
        try:
            yield service
        finally:
            service.held.set()
