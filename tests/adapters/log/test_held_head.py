"""The head of the log is never held for long: neither by a stopped process nor by a session with its lock (O29)."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.access.roles import Role
from domain.core.errors import Unavailable
from tests.support.processes import wait_until
from tests.support.stores import a_store

pytestmark = pytest.mark.slow

HOLD = "SELECT FROM log_head WHERE log = 'identity' FOR UPDATE"


def a_role() -> Role:
    return Role.create(uuid4(), "org.admin", "org.admin")


@contextlib.asynccontextmanager
async def a_writer_stopped_with_the_head(
    database_url: str, organization_id: UUID
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.frozen_writers", database_url, str(organization_id),
        env={**os.environ, "PYTHONPATH": "."}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    state = Path(f"/proc/{process.pid}/stat")
    try:
        await asyncio.to_thread(wait_until, lambda: state.read_text().rpartition(")")[2].split()[0] == "T", 30)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_stopped_writer_delays_others_by_seconds_and_loses_nothing(database_url: str) -> None:
    organization_id = uuid4()
    async with (
        a_store(database_url) as store,
        a_writer_stopped_with_the_head(database_url, organization_id) as process,
    ):
        began = time.monotonic()
        assert await store.save(a_role()) == 1
        assert time.monotonic() - began < 10
        process.send_signal(signal.SIGCONT)
        told, _ = await asyncio.wait_for(process.communicate(), 20)
    assert told.strip() == b"2"
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT notification_id, organization_id FROM events ORDER BY 1").fetchall()
    assert len(rows) == 2
    assert rows[1] == (2, organization_id)


async def test_appends_fail_while_a_session_holds_the_head_and_then_succeed(
    database_url: str,
) -> None:
    async with a_store(database_url, wait=1.5) as store, await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute(HOLD)
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await store.save(a_role())
            assert time.monotonic() - began < 3
        waiting = asyncio.create_task(store.save(a_role()))
        await asyncio.wait({waiting}, timeout=0.5)
        await holder.rollback()
        assert await asyncio.wait_for(waiting, 1) == 1  # what was refused before is not in the log


async def test_a_cancelled_append_is_left_out_of_its_batch(database_url: str) -> None:
    async with a_store(database_url) as store, await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute(HOLD)
        first = asyncio.create_task(store.save(a_role()))
        await asyncio.wait({first}, timeout=0.3)  # it waits in the database
        gone, kept = (asyncio.create_task(store.save(a_role())) for _ in range(2))
        await asyncio.wait({gone, kept}, timeout=0.1)
        gone.cancel()
        await holder.rollback()
        assert [await first, await kept] == [1, 2]
        assert await store.head() == 2
