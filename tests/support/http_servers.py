"""HTTP servers on loopback, in a thread of the test's process."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Quiet:
    """Mixin for handlers that write no log."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def an_http_server(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve with the handler; gives the URL without a path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
