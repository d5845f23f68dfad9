"""`rollbook api` and `rollbook worker` by themselves on a migrated database, as on several machines."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2

from tests.support.processes import wait_until
from tests.support.running import KEYS, ROLLBOOK, environment


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def running_parts(database_url: str, folder: Path, apis: int, **more: str) -> Iterator[tuple[list[str], Path]]:
    """API processes and a worker, from ready to stopped by SIGTERM: the URLs, and the file that holds what they say."""
    ports = [a_free_port() for _ in range(apis)]
    given = {
        "DATABASE_URL": database_url, "ROLLBOOK_DATA": str(folder), "ROLLBOOK_ARGON2": "1,64,1", **KEYS, **more,
    }  # fmt: skip
    commands = [("api", {"ROLLBOOK_PORT": str(port)}) for port in ports] + [("worker", {})]
    with ExitStack() as stack:
        said = stack.enter_context((folder / "said").open("wb"))
        running = [
            stack.enter_context(subprocess.Popen([*ROLLBOOK, part], env=environment(**given, **own), stdout=said))
            for part, own in commands
        ]
        urls = [f"http://127.0.0.1:{port}" for port in ports]

        def ready() -> bool:
            assert all(process.poll() is None for process in running), (folder / "said").read_text()
            try:
                return all(httpx2.get(f"{url}/readyz").status_code == 200 for url in urls)
            except httpx2.TransportError:
                return False

        try:
            wait_until(ready, 40)
            yield urls, folder / "said"
        finally:
            for process in running:
                process.terminate()
            assert [process.wait(10) for process in running] == [0] * len(running)
