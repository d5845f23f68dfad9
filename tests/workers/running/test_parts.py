"""`rollbook api` and `rollbook worker` by themselves on a migrated database, as on several machines."""

import asyncio
import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support.parts import running_parts
from tests.support.running import KEYS, ROLLBOOK, administrator_of, environment, rollbook
from tests.support.world.product import settings_for
from workers.following import projectors
from workers.jobs import worker as jobs
from workers.running.serving import Worker

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = (f"{number}-token-of-the-application" for number in ("first", "second", "third"))
ACCOUNTS = f"care/oracle:{FIRST}"


@contextmanager
def parts(database_url: str, folder: Path, **more: str) -> Iterator[tuple[httpx2.Client, Path]]:
    """An API process and a worker, from ready to stopped by SIGTERM; a client, and what the API process says."""
    with running_parts(database_url, folder, 1, **more) as (urls, said), httpx2.Client(base_url=urls[0]) as client:
        yield client, said


def signed_in(client: httpx2.Client, token: str, account: str = "oracle") -> int:
    body = {"namespace": "care", "sa-name": account, "sa-token-sha512": hashlib.sha512(token.encode()).hexdigest()}
    return client.post("/v1/internal-auth/", json=body).status_code


def test_the_first_api_process_creates_the_first_accounts(database_url: str, tmp_path: Path) -> None:
    with parts(database_url, tmp_path, ROLLBOOK_SERVICE_ACCOUNTS=ACCOUNTS) as (client, said):
        assert client.post("/v1/login/", json=administrator_of(said)).status_code == 201
        assert signed_in(client, FIRST) == 201
    rotated = f"care/oracle:{SECOND},care/drow:{THIRD}"
    with parts(database_url, tmp_path, ROLLBOOK_SERVICE_ACCOUNTS=rotated) as (client, said):
        assert "First administrator" not in said.read_text()
        assert [signed_in(client, token) for token in (FIRST, SECOND)] == [401, 201]
        assert signed_in(client, THIRD, "drow") == 201


def test_a_weak_first_password_stops_an_api_process_too(database_url: str) -> None:
    password = "password1"
    done = subprocess.run(
        [*ROLLBOOK, "api"], check=False, capture_output=True, text=True, timeout=60,
        env=environment(DATABASE_URL=database_url, ROLLBOOK_ADMIN_PASSWORD=password, **KEYS),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rollbook: ROLLBOOK_ADMIN_PASSWORD: The password is too easy to guess.")
    assert password not in done.stderr


def test_an_api_process_without_a_free_port_creates_no_account(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = rollbook("api", DATABASE_URL=database_url, ROLLBOOK_PORT=str(port), **KEYS)
    assert (done.returncode, done.stdout) == (1, "")
    refusal = f"cannot listen on 127.0.0.1 port {port} (Address already in use)"
    assert done.stderr == f"rollbook: {refusal}: choose others by ROLLBOOK_HOST and ROLLBOOK_PORT\n"


@pytest.mark.parametrize("worker", [projectors.run, jobs.run])
async def test_a_worker_outlives_a_database_that_stays_away(worker: Worker, database_url: str) -> None:
    stop = asyncio.Event()
    settings = settings_for("postgresql://nobody@/none?host=/none", listen_url=database_url, database_wait=0.2)
    working = asyncio.ensure_future(worker(settings, stop))
    ended, _ = await asyncio.wait([working], timeout=1.5)
    assert not ended
    stop.set()
    await asyncio.wait_for(working, 5)


def test_a_failed_worker_ends_its_part_without_the_error_text() -> None:
    program = """
import asyncio
from adapters.logging import configure_logging
from adapters.settings import Settings
from workers.running.serving import work

async def failing(settings, stop):
    raise ValueError("ann@rollbook.test")

async def patient(settings, stop):
    await stop.wait()

configure_logging()
work(Settings(), [patient, failing])
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (1, "")
    line = json.loads(done.stdout)
    assert (line["event"], line["error"]) == ("worker-failed", "builtins.ValueError")
    assert "ann" not in done.stdout
