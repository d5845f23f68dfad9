"""Background tasks continue after an unexpected failure."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.background import BackgroundTask
from adapters.log.announcer import Announcer
from adapters.log.idempotency_store import IdempotencyStore
from adapters.log.notifications import LOG, Notifications
from api.edge.indexing import Indexing
from api.edge.positions import Positions
from tests.support.edge import eventually
from tests.support.logins import application_dsn
from tests.support.stores import MASTER_KEY, a_pool
from tests.support.world.product import settings_for
from workers.running import retention


def failing_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[str]:
    """Let the first call of the coroutine function fail as only a mistake of ours would; the calls so far."""
    calls: list[str] = []
    working = getattr(owner, name)

    async def fail_first(*given: Any, **named: Any) -> Any:
        calls.append(name)
        if len(calls) == 1:
            raise RuntimeError("a secret value")
        return await working(*given, **named)

    monkeypatch.setattr(owner, name, fail_first)
    return calls


async def test_a_failure_is_logged_and_the_work_continues() -> None:
    tries: list[int] = []
    told = asyncio.Event()

    async def work() -> None:
        tries.append(len(tries))
        if len(tries) < 3:
            raise RuntimeError("a secret value")
        await told.wait()

    task = BackgroundTask("work", work, first_pause=0.01)
    with capture_logs() as logs:
        task.start()
        await eventually(lambda: len(tries) == 3)
    assert [(each["event"], each["task"]) for each in logs] == [("background-task-failed", "work")] * 2
    told.set()
    await task.stop()
    assert len(tries) == 3


async def test_a_task_that_pauses_after_a_failure_ends_at_once() -> None:
    failed = asyncio.Event()

    async def work() -> None:
        failed.set()
        raise RuntimeError

    for end in (BackgroundTask.stop, BackgroundTask.cancel):
        task = BackgroundTask("work", work, first_pause=60.0)
        task.start()
        await failed.wait()
        await asyncio.wait_for(end(task), 1)


@asynccontextmanager
async def listening(dsn: str, heard: Callable[[str | None], None]) -> AsyncIterator[None]:
    notifications = Notifications(dsn)
    notifications.on(LOG, heard)
    async with notifications:
        await notifications.connected.wait()
        yield


async def test_the_announcer_continues_after_a_failure(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str | None] = []
    async with a_pool(database_url) as pool, listening(application_dsn(database_url), heard.append):
        announcer = Announcer(pool)
        calls = failing_once(monkeypatch, announcer, "_notify")
        announcer.start()
        announcer.announce(1)
        await eventually(lambda: calls)
        announcer.announce(2)
        await eventually(lambda: "2" in heard)
        await announcer.stop()


async def test_the_listener_continues_after_a_failure(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    notifications = Notifications(application_dsn(database_url))
    failing_once(monkeypatch, notifications, "_listen_until_lost")
    async with notifications:
        await asyncio.wait_for(notifications.connected.wait(), 5)


async def test_waiting_for_positions_continues_after_a_failure(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_pool(database_url) as pool:
        positions = Positions(pool, Notifications(application_dsn(database_url)))
        calls = failing_once(monkeypatch, positions, "_seen")
        async with positions:
            await eventually(lambda: calls)
            assert await positions.reached([], 0, 5)


async def test_the_cleaning_of_keys_continues_after_a_failure(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_pool(database_url) as pool:
        answers = IdempotencyStore(pool, application_dsn(database_url), MASTER_KEY)
        calls = failing_once(monkeypatch, answers, "clean")
        async with answers:
            await eventually(lambda: len(calls) > 1)


async def test_the_indexing_continues_after_a_failure(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    indexing = Indexing(application_dsn(database_url))
    calls = failing_once(monkeypatch, indexing, "_improve")
    async with indexing:
        await eventually(lambda: calls)
        indexing.index()
        await eventually(lambda: len(calls) > 1)


async def test_deleting_logins_continues_after_a_failure(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = failing_once(monkeypatch, retention, "forget_old_events")
    stop = asyncio.Event()
    working = asyncio.create_task(retention.run(settings_for(database_url), stop))
    await eventually(lambda: len(calls) > 1)
    stop.set()
    await working
