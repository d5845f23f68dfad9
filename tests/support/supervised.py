"""Stand-ins for the parts of `rollbook up`, so that the supervisor is tested without the parts' own troubles.

`python -m tests.support.supervised up` runs the supervisor on the environment's settings; `api`, `worker` and
`stubborn` are parts for it.
"""

import asyncio
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from adapters.settings import Settings, load_settings
from workers.folder_claim import FolderTakenError
from workers.lifeline import hold_lifeline, inherited_socket
from workers.parts import PartCommand
from workers.supervisor import Plan, PortTakenError, Supervisor


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = str(os.getpid()).encode()
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


def part(name: str, *, listens: bool = False) -> PartCommand:
    return PartCommand(name, [sys.executable, "-m", "tests.support.supervised", name], listens)


async def bootstrap(settings: Settings) -> list[str]:
    assert settings.database_url
    assert settings.redis_url
    return [f"bootstrapped with a key of {len(settings.master_key_bytes())} bytes"]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def up() -> None:
    parts = [part("api", listens=True), part(os.environ.get("STAND_IN_WORKER", "worker"))]

    async def run() -> None:
        await Supervisor(load_settings(), Plan(parts, bootstrap), say).run()

    try:
        asyncio.run(run())
    except (FolderTakenError, PortTakenError) as error:
        sys.exit(str(error))


def main() -> None:
    role = sys.argv[1]
    if role == "up":
        up()
        return
    hold_lifeline()
    if role == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if role == "api":
        api()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
