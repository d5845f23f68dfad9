"""Frozen workers (SIGSTOP) do not delay others for long, and do no harm when they continue (ruling O29)."""

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from psycopg import AsyncConnection

from tests.support.followers import eventually
from tests.support.jobs import a_queue, a_worker_process, enqueue_notes
from tests.support.logins import application_dsn
from tests.support.running import KEY_SETTINGS, KEYS, ROLLBOOK, environment
from tests.support.world.product import settings_for
from workers.following import leases, projectors
from workers.jobs import worker as jobs
from workers.running.bootstrap import bootstrap

pytestmark = pytest.mark.slow

TAKEN_OVER = 15.0
BEHIND = """
SELECT count(*) FROM projections WHERE mode = 'background' AND log = 'identity'
    AND position < (SELECT position FROM log_head WHERE log = 'identity')
"""


@contextmanager
def a_worker(database_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """`rollbook worker projectors`, killed in the end."""
    worker = subprocess.Popen(
        [*ROLLBOOK, "worker", "projectors"],
        env=environment(DATABASE_URL=database_url, **KEYS),
        stdout=subprocess.DEVNULL,
    )
    with worker:
        try:
            yield worker
        finally:
            worker.kill()


@asynccontextmanager
async def a_standby(database_url: str) -> AsyncIterator[None]:
    stop = asyncio.Event()
    standing_by = asyncio.create_task(projectors.run(settings_for(database_url, **KEY_SETTINGS), stop))
    try:
        yield
    finally:
        stop.set()
        await standing_by


async def test_a_standby_takes_over_from_a_frozen_worker(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as owner:
        with a_worker(database_url) as worker:
            await eventually(owner, "SELECT count(last_poll_at) > 0 FROM projections", True, seconds=40)
            worker.send_signal(signal.SIGSTOP)
            frozen = time.monotonic()
            await bootstrap(settings_for(database_url, **KEY_SETTINGS))
            async with a_standby(database_url):
                await eventually(owner, BEHIND, 0, seconds=40)
                assert time.monotonic() - frozen < TAKEN_OVER
                worker.send_signal(signal.SIGCONT)
            await asyncio.sleep(0)  # the standby has ended: the first takes over again
            await bootstrap(
                settings_for(database_url, service_accounts="apps/other:other-token-of-24-characters", **KEY_SETTINGS)
            )
            await eventually(owner, BEHIND, 0, seconds=40)
            assert worker.poll() is None


async def test_a_lease_of_a_holder_that_does_not_read_is_freed(database_url: str) -> None:
    """Postgres waits for it as long as the network lives, and no time-out of the session ends that."""
    dsn = application_dsn(database_url)
    frozen, standby = await projectors.connect(dsn), await projectors.connect(dsn)
    assert await leases.take(frozen, ["groups"])
    frozen.pgconn.send_query(b"SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
    async with await AsyncConnection.connect(database_url, autocommit=True) as owner:
        await eventually(
            owner,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'ClientWrite'",
            1,
        )
    for _ in range(100):
        await leases.end_frozen(standby, ["groups"], 0.5)
        if taken := await leases.take(standby, ["groups"]):
            break
        await asyncio.sleep(0.1)
    assert taken == {"groups"}
    await standby.close()
    with contextlib.suppress(Exception):
        await frozen.close()


async def test_a_lease_of_a_working_holder_is_kept(database_url: str) -> None:
    dsn = application_dsn(database_url)
    async with await projectors.connect(dsn) as leader, await projectors.connect(dsn) as standby:
        assert await leases.take(leader, ["groups"])
        working = asyncio.create_task(leader.execute("SELECT pg_sleep(1)"))
        for _ in range(5):
            await leases.end_frozen(standby, ["groups"], 0.0)
            assert await leases.take(standby, ["groups"]) == set()
            await asyncio.sleep(0.1)
        await working


async def test_the_jobs_of_a_frozen_worker_are_done_by_another(database_url: str) -> None:
    dsn = application_dsn(database_url)
    async with await AsyncConnection.connect(database_url, autocommit=True) as owner:
        await owner.execute("CREATE TABLE notes (number integer); GRANT ALL ON notes TO rollbook_app")
        await enqueue_notes(owner, 1)
        worker = await a_worker_process(dsn, last=60)
        await eventually(owner, "SELECT count(*) FROM notes", 1, seconds=40)
        worker.send_signal(signal.SIGSTOP)
        stop = asyncio.Event()
        working = asyncio.create_task(jobs.work(a_queue(dsn), stop, stalled=3.0))
        await eventually(owner, "SELECT count(*) FROM procrastinate_jobs", 0, seconds=40)
        await eventually(owner, "SELECT count(*) FROM notes", 2)
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        worker.kill()
        await worker.wait()
