"""A part for the supervisor that does nothing: `api` answers /readyz, `worker` waits, `stubborn` ignores SIGTERM.

It imports only what it needs, because the tests start some fifty of them.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from workers.running.lifeline import hold_lifeline, inherited_socket


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"projectors":true,"pid":%d}' % os.getpid()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the method it replaces
        pass


def api() -> None:
    listening = inherited_socket()
    assert listening is not None
    server = HTTPServer(("", 0), Ready, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.serve_forever()


def main() -> None:
    role = sys.argv[1]
    hold_lifeline()
    if role == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if role == "api":
        api()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
