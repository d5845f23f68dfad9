import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from tests.support.logins import application_login
from tests.support.processes import processes, wait_until

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[3]
ROLES = ("stand_in_part api", "stand_in_part worker", "cluster -c", "valkey-server")


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder that the user who runs servers for root can reach, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="rb-"))
    made.chmod(0o711)
    yield made
    for pid in processes(str(made)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(made)


class Started:
    """A supervisor with stand-in parts, in a session of its own like a shell's foreground job."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        self.output = data / "output"
        inherited = {name: value for name, value in os.environ.items() if "ROLLBOOK" not in name}
        ours = {"ROLLBOOK_DATA": str(data), "ROLLBOOK_PORT": "0", "PYTHONUNBUFFERED": "1"}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.supervised"],
                cwd=PROJECT, env={**inherited, **ours, **environment}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def said(self) -> str:
        return self.output.read_text()

    def until_ready(self, times: int = 1) -> Self:
        def ready() -> bool:
            assert self.process.poll() is None, self.said()
            return self.said().count("Rollbook is running.") >= times

        wait_until(ready, 30)
        return self

    def url(self) -> str:
        (line,) = [line for line in self.said().splitlines() if line.startswith("API ")][-1:]
        return line.split()[1]

    def pid_of(self, role: str) -> int | None:
        own = {pid: command for pid, command in processes(str(self.data)).items() if "embedded/guard.py" not in command}
        return next((pid for pid, command in own.items() if role in command), None)

    def ends(self, seconds: float = 10) -> int:
        return self.process.wait(seconds)


def answer(url: str) -> int:
    with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
        return int(json.loads(response.read())["pid"])


def test_sigterm_to_the_supervisor_alone_stops_everything(data: Path) -> None:
    with Started(data).until_ready() as supervisor:
        assert all(supervisor.pid_of(role) for role in ROLES)
        for line in (
            "bootstrapped with a key of 32 bytes",
            f"Outbox   {data}/outbox",
            f"Docs     {supervisor.url()}/docs",
        ):
            assert line in supervisor.said()
        assert (data / "outbox").stat().st_mode & 0o777 == 0o700  # for what is personal
        supervisor.process.terminate()
        assert supervisor.ends() == 0
        assert processes(str(data)) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_group_stops_everything(data: Path, number: signal.Signals) -> None:
    with Started(data).until_ready() as supervisor:
        os.killpg(supervisor.process.pid, number)
        assert supervisor.ends() == 0
        assert processes(str(data)) == {}


def test_every_part_and_server_that_is_killed_is_started_again(data: Path) -> None:
    with Started(data).until_ready() as supervisor:
        for role in ROLES:
            killed = supervisor.pid_of(role)
            assert killed
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda role=role, killed=killed: supervisor.pid_of(role) not in {None, killed})  # type: ignore[misc]
        assert "api ended (killed by SIGKILL)" in supervisor.said()
        supervisor.process.terminate()
        assert supervisor.ends() == 0
        assert processes(str(data)) == {}


def test_a_connection_during_a_restart_is_answered_afterwards(data: Path) -> None:
    with Started(data).until_ready() as supervisor:
        killed = answer(supervisor.url())
        os.kill(killed, signal.SIGKILL)
        assert answer(supervisor.url()) != killed


def test_orphans_of_a_killed_supervisor_end_by_themselves(data: Path) -> None:
    with Started(data).until_ready() as supervisor:
        supervisor.process.kill()
        wait_until(lambda: not processes(str(data)), 5)


def test_a_start_after_kill_9_is_ready_in_5_seconds(data: Path) -> None:
    with Started(data).until_ready() as killed:
        keys = {name: (data / name).read_bytes() for name in ("master.key", "signing.pem")}
        killed.process.kill()
        begin = time.monotonic()
        with Started(data).until_ready(times=2) as supervisor:
            assert time.monotonic() - begin < 5
            assert keys == {name: (data / name).read_bytes() for name in keys}
            supervisor.process.terminate()
            assert supervisor.ends() == 0
        assert processes(str(data)) == {}


def test_a_second_supervisor_on_the_same_folder_is_refused(data: Path) -> None:
    with Started(data).until_ready() as first, Started(data) as second:
        assert second.ends() == 1
        assert f"another `rollbook up` (process {first.process.pid}) already runs on {data}" in second.said()
        assert answer(first.url())


def test_a_port_in_use_is_refused_before_anything_starts(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Started(data, ROLLBOOK_PORT=str(port)) as supervisor:
            assert supervisor.ends() == 1
            assert f"cannot listen on 127.0.0.1 port {port} (Address already in use)" in supervisor.said()
    assert processes(str(data)) == {}


def test_a_part_that_does_not_stop_is_killed_within_ten_seconds(data: Path) -> None:
    with Started(data, STAND_IN_WORKER="stubborn").until_ready() as supervisor:
        supervisor.process.terminate()
        assert supervisor.ends(10) == 0
        assert processes(str(data)) == {}


@pytest.mark.parametrize("moment", ["supervisor.lock", "postgres", "postgres/cluster", "postgres/run", "master.key"])
def test_a_signal_during_the_start_leaves_nothing(data: Path, moment: str) -> None:
    with Started(data) as supervisor:
        wait_until((data / moment).exists)
        supervisor.process.terminate()
        assert supervisor.ends() == 0
        assert processes(str(data)) == {}
        assert "Rollbook is running." not in supervisor.said()


def test_servers_of_your_own_are_used_when_they_are_named(data: Path, database_url: str, redis_url: str) -> None:
    own = {"DATABASE_URL": database_url, "ROLLBOOK_APP_DATABASE_URL": application_login(database_url)}
    with Started(data, **own, REDIS_URL=redis_url).until_ready() as supervisor:
        assert not processes(str(data), "embedded/guard.py")
        supervisor.process.terminate()
        assert supervisor.ends() == 0


def test_the_embedded_postgres_has_connections_for_all_processes(data: Path) -> None:
    with Started(data, ROLLBOOK_API_PROCESSES="12", ROLLBOOK_POOL_SIZE="20").until_ready() as supervisor:
        with psycopg.connect(EmbeddedPostgres(data / "postgres").dsn()) as connection:
            (most,) = connection.execute("SELECT current_setting('max_connections')::integer").fetchone() or (0,)
        assert most >= 12 * (20 + 20 + 6)
        supervisor.process.terminate()
        assert supervisor.ends() == 0


def test_parts_share_a_folder_of_figures_that_begin_at_zero(data: Path) -> None:
    (data / "metrics").mkdir()
    (data / "metrics" / "counter_1.db").touch()
    with Started(data, ROLLBOOK_METRICS="true").until_ready() as supervisor:
        assert len(processes(f"PROMETHEUS_MULTIPROC_DIR={data}/metrics")) == 2
        assert list((data / "metrics").iterdir()) == []
        supervisor.process.terminate()
        assert supervisor.ends() == 0
