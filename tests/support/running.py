"""The `rollbook` command as its users run it: one that ends, or `rollbook up` from ready to stopped."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.processes import processes, wait_until

KEYS = {
    "ROLLBOOK_MASTER_KEY": "A" * 43 + "=",
    "ROLLBOOK_SIGNING_KEY": Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode(),
}
"""For parts that run without a data folder."""

ROLLBOOK = [sys.executable, str(Path(sys.executable).with_name("rollbook"))]


def environment(**more: str) -> dict[str, str]:
    """Ours without what would make it another server's."""
    foreign = {"DATABASE_URL", "REDIS_URL"}
    own = {name: value for name, value in os.environ.items() if "ROLLBOOK" not in name and name not in foreign}
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


@contextmanager
def up(data: Path, name: str = "output", **more: str) -> Iterator[Path]:
    """The real `rollbook up` from ready to stopped; the file that holds what it says."""
    output = data / name
    own = {"ROLLBOOK_DATA": str(data), "ROLLBOOK_PORT": "0", "ROLLBOOK_ARGON2": "1,64,1"}
    with output.open("wb") as said, subprocess.Popen(
        [*ROLLBOOK, "up"], stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        env=environment(**own, **more),
    ) as process:  # fmt: skip
        try:
            wait_until(lambda: process.poll() is not None or "Rollbook is running." in output.read_text(), 40)
            assert process.poll() is None, output.read_text()
            yield output
        finally:
            process.terminate()
            assert process.wait(10) == 0, output.read_text()
    assert processes(str(data)) == {}


def url_of(output: Path) -> str:
    """Where the API listens."""
    (line,) = [line for line in output.read_text().splitlines() if line.startswith("API ")]
    return line.split()[1]


def pids_of(data: Path, part: str) -> set[int]:
    """Those of the processes of that part, named as in the process list."""
    return {pid for pid, told in processes(str(data)).items() if told.strip().endswith(part)}
