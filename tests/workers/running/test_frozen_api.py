"""A `rollbook api` that is stopped in the middle of an append delays others by seconds and loses nothing (O29)."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest

from tests.support.parts import running_parts
from tests.support.processes import processes, wait_until
from tests.support.running import administrator_of

pytestmark = pytest.mark.slow

MAX_TRIES = 500
WRITERS = 12
OTHERS_WRITE_AGAIN = 10.0
WRITING = """
SELECT state FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'rollbook-writer' AND state <> 'idle'
"""
TAKE_HEAD = "SELECT FROM log_head WHERE log = 'identity' FOR UPDATE NOWAIT"


class Writers:
    """Callers who make groups; what was acknowledged is noted, by position."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._bearer: dict[str, str] = {}
        self._organization = ""
        self.acknowledged: dict[int, str] = {}

    async def open(self, url: str, said: Path) -> None:
        """Sign in, and make the organization of the groups."""
        signed_in = await self._client.post(f"{url}/v1/login/", json=administrator_of(said))
        self._bearer = {"Authorization": f"Bearer {signed_in.json()['access-token']}"}
        self._organization = (await self._create(url, "organizations", {"name": "north"})).json()["data"]["id"]

    async def write(self, url: str) -> bool:
        """Make a group; whether that was acknowledged."""
        answer = await self._create(url, "individual-groups", {"name": "group", "organization-id": self._organization})
        if answer.status_code == 201:
            self.acknowledged[int(answer.headers["X-Position"])] = answer.json()["data"]["id"]
        return answer.status_code == 201

    @asynccontextmanager
    async def writing(self, url: str) -> AsyncIterator[None]:
        """Inside, groups are made one after the other, by several callers at a time."""
        stopping = asyncio.Event()

        async def go_on() -> None:
            while not stopping.is_set():
                await self.write(url)

        working = [asyncio.create_task(go_on()) for _ in range(WRITERS)]
        try:
            yield
        finally:
            stopping.set()
            await asyncio.gather(*working)

    async def groups(self, url: str) -> set[str]:
        """Those that an API process shows, with everything acknowledged so far in it."""
        shown: set[str] = set()
        while True:
            page = {"page[limit]": "500", "page[offset]": str(len(shown))}
            headers = {**self._bearer, "X-At-Least-Position": str(max(self.acknowledged))}
            answer = await self._client.get(f"{url}/v2/individual-groups/", params=page, headers=headers)
            if answer.status_code == 503:  # read models are behind
                await asyncio.sleep(0.1)
                continue
            found = {row["id"] for row in answer.json()["data"]}
            if not found:
                return shown
            shown |= found

    async def _create(self, url: str, kind: str, attributes: dict[str, str]) -> httpx2.Response:
        body = {"data": {"type": kind, "attributes": attributes}}
        return await self._client.post(f"{url}/v1/{kind}/", json=body, headers=self._bearer)


def stop_with_the_head(process: int, database_url: str) -> None:
    """Stop the process again and again, until that meets it while its session holds the head of the log."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for _ in range(MAX_TRIES):
            time.sleep(random.uniform(0.001, 0.02))
            os.kill(process, signal.SIGSTOP)
            if is_held_by_a_silent_writer(connection):
                return
            os.kill(process, signal.SIGCONT)
    pytest.fail(f"it never held the head when it was stopped, in {MAX_TRIES} tries")


def is_held_by_a_silent_writer(connection: psycopg.Connection) -> bool:
    """Whether the head is held once everything is done that was sent before the process was stopped."""
    wait_until(lambda: ("active",) not in connection.execute(WRITING).fetchall())
    if connection.execute(WRITING).fetchall() != [("idle in transaction",)]:
        return False
    try:
        connection.execute(TAKE_HEAD)
    except psycopg.errors.LockNotAvailable:
        return True
    return False


@pytest.mark.timeout(240)
async def test_others_write_again_and_the_stopped_one_goes_on(database_url: str, tmp_path: Path) -> None:
    with running_parts(database_url, tmp_path, 2, ROLLBOOK_POSITION_WAIT="0") as ((frozen, other), said):
        (process,) = processes("rollbook api", f"ROLLBOOK_PORT={urlsplit(frozen).port}")
        async with httpx2.AsyncClient(timeout=40) as client:
            writers = Writers(client)
            await writers.open(other, said)
            async with writers.writing(frozen):
                try:
                    await asyncio.to_thread(stop_with_the_head, process, database_url)
                    stopped = time.monotonic()
                    assert await writers.write(other)
                    assert time.monotonic() - stopped < OTHERS_WRITE_AGAIN
                finally:
                    os.kill(process, signal.SIGCONT)
                assert await writers.write(frozen)
            assert set(writers.acknowledged.values()) <= await writers.groups(other)
    with psycopg.connect(database_url) as connection:
        log = connection.execute("SELECT notification_id, originator_id::text FROM events ORDER BY 1").fetchall()
        head = connection.execute("SELECT position FROM log_head WHERE log = 'identity'").fetchone()
    assert [position for position, _ in log] == list(range(1, len(log) + 1))
    assert head == (len(log),)
    assert writers.acknowledged.items() <= dict(log).items()
