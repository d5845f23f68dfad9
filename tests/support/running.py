"""The `rollbook` command as its users run it: one that ends, or `rollbook up` from ready to stopped."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.logins import application_login
from tests.support.processes import processes, wait_until

KEYS = {
    "ROLLBOOK_MASTER_KEY": "A" * 43 + "=",
    "ROLLBOOK_SIGNING_KEY": Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode(),
}
"""For parts that run without a data folder."""

KEY_SETTINGS = {"master_key": KEYS["ROLLBOOK_MASTER_KEY"], "signing_key": KEYS["ROLLBOOK_SIGNING_KEY"]}
"""The same as settings, for what this process runs beside such parts."""

PROJECT = Path(__file__).parents[2]
ROLLBOOK = [sys.executable, str(Path(sys.executable).with_name("rollbook"))]


def environment(**more: str) -> dict[str, str]:
    """Ours without what would make it another server's."""
    foreign = {"DATABASE_URL", "REDIS_URL"}
    own = {name: value for name, value in os.environ.items() if "ROLLBOOK" not in name and name not in foreign}
    if "DATABASE_URL" in more:  # all tests share a server, on which each master key would let in its own
        own["ROLLBOOK_APP_DATABASE_URL"] = application_login(more["DATABASE_URL"])
    return {**own, "TERM": "dumb", "COLUMNS": "150", **more}


def rollbook(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ROLLBOOK, *arguments], env=environment(**more), check=False, capture_output=True, text=True, timeout=60
    )


@contextmanager
def a_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rb-") as folder:
        Path(folder).chmod(0o711)  # the user who runs servers for root must reach it
        yield Path(folder)


class Running:
    """A `rollbook up` in a session of its own, or another command that does the same; `output` holds what it says."""

    def __init__(
        self, data: Path, name: str = "output", command: Sequence[str] = (*ROLLBOOK, "up"), **more: str
    ) -> None:
        self.data, self.output = data, data / name
        own = {"ROLLBOOK_DATA": str(data), "ROLLBOOK_PORT": "0", "ROLLBOOK_ARGON2": "1,64,1"}
        with self.output.open("wb") as said:
            self.process = subprocess.Popen(
                command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
                env=environment(**own, **more), cwd=PROJECT,
            )  # fmt: skip

    def until_ready(self) -> None:
        wait_until(lambda: self.process.poll() is not None or "Rollbook is running." in self.output.read_text(), 40)
        assert self.process.poll() is None, self.output.read_text()

    @property
    def url(self) -> str:
        """Where the API listens; http://127.0.0.1:1, where no process listens, before it is known."""
        return url_of(self.output) if "Rollbook is running." in self.output.read_text() else "http://127.0.0.1:1"

    def kill(self) -> None:
        """Kill it with SIGKILL; the processes that it started continue."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Everything has ended within ten seconds."""
        self.process.terminate()
        assert self.process.wait(10) == 0, self.output.read_text()
        assert processes(str(self.data)) == {}


@contextmanager
def up(data: Path, name: str = "output", **more: str) -> Iterator[Path]:
    """The real `rollbook up` from ready to stopped; the file that holds what it says."""
    running = Running(data, name, **more)
    try:
        running.until_ready()
        yield running.output
    finally:
        running.stop()


def url_of(output: Path) -> str:
    """Where the API listens."""
    (line,) = [line for line in output.read_text().splitlines() if line.startswith("API ")]
    return line.split()[1]


def pids_of(data: Path, part: str) -> set[int]:
    """Those of the processes of that part, named as in the process list."""
    return {pid for pid, told in processes(str(data)).items() if told.strip().endswith(part)}


def administrator_of(output: Path) -> dict[str, str]:
    """What the first administrator signs in with, from where the first start has said."""
    (line,) = [line for line in output.read_text().splitlines() if line.startswith("First administrator ")]
    email, _, file = line.removeprefix("First administrator ").partition(", password in ")
    return {"username": email, "password": Path(file).read_text()}
