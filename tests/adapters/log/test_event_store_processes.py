"""Several writers and a reader who follows the log: two that commit out of order, and sixteen that are killed."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event as Signal
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.log.codec import EventCodec
from adapters.log.reader import LogReader
from adapters.security.keyring import Keyring
from domain.access.roles import Role
from domain.core.recorded import Recorded
from projections.core.projection import InlineProjection, WriteCursor
from tests.support.log_writers import COPIES, Copies, start_process
from tests.support.processes import wait_until
from tests.support.stores import MASTER_KEY, a_pool, a_store, waits_for_a_lock

pytestmark = pytest.mark.slow

PROCESSES = 4
KILLS = 8
COMMANDS_BEFORE_A_KILL = 60


class Writers:
    """Four processes, and their diaries: one a process, living or dead."""

    def __init__(self, database_url: str, shared_role: UUID, folder: Path) -> None:
        self._database_url, self._shared_role, self._folder = database_url, shared_role, folder
        self._diaries: list[Path] = []
        self.living = [self._start() for _ in range(PROCESSES)]

    def _start(self) -> tuple[BaseProcess, Path]:
        diary = self._folder / f"diary-{len(self._diaries)}"
        diary.touch()
        self._diaries.append(diary)
        return start_process(self._database_url, self._shared_role, diary), diary

    def kill_the_eldest(self) -> None:
        """As soon as it has done something; a new one takes its place."""
        process, diary = self.living.pop(0)
        wait_until(lambda: diary.read_bytes().count(b"\n") >= COMMANDS_BEFORE_A_KILL, 30)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        self.living.append(self._start())

    def finish(self) -> None:
        for _, diary in self.living:
            wait_until(lambda diary=diary: diary.stat().st_size, 30)  # type: ignore[misc]
        for process, _ in self.living:
            process.terminate()
        for process, _ in self.living:
            process.join(20)
            assert process.exitcode == 0

    def lines(self) -> list[list[str]]:
        return [line.split() for diary in self._diaries for line in diary.read_text().splitlines()]


@contextmanager
def a_reader(database_url: str) -> Iterator[list[int]]:
    """Return what a reader sees who repeatedly reads the events after the last position seen."""
    seen: list[int] = []
    finished = Signal()

    def follow() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            last = False
            while not last:
                last = finished.is_set()  # before looking: what was there by then is seen
                rows = connection.execute(
                    "SELECT notification_id FROM events WHERE notification_id > %s ORDER BY notification_id",
                    (seen[-1] if seen else 0,),
                ).fetchall()
                seen.extend(position for (position,) in rows)

    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(follow)
        try:
            yield seen
        finally:
            finished.set()
            following.result()


def test_killed_writers_leave_a_log_without_gaps_losses_or_doubles(database_url: str, tmp_path: Path) -> None:
    shared_role = asyncio.run(prepare(database_url))
    with a_reader(database_url) as seen:
        writers = Writers(database_url, shared_role, tmp_path)
        for _ in range(KILLS):
            writers.kill_the_eldest()
        writers.finish()
    recorded = asyncio.run(everything_in_the_log(database_url))
    holders = {each.event.user_id: each.position for each in recorded if isinstance(each.event, Role.Granted)}

    assert seen == list(range(1, len(recorded) + 1))
    assert [each.position for each in recorded] == seen
    assert len(holders) == sum(isinstance(each.event, Role.Granted) for each in recorded)
    acknowledged = {UUID(holder): int(where) for where, holder in writers.lines() if where != "refused"}
    assert len(acknowledged) > KILLS * COMMANDS_BEFORE_A_KILL
    assert acknowledged.items() <= holders.items()
    assert not holders.keys() & {UUID(holder) for where, holder in writers.lines() if where == "refused"}
    assert asyncio.run(holders_of(database_url, shared_role)) == {
        each.event.user_id
        for each in recorded
        if isinstance(each.event, Role.Granted) and each.event.originator_id == shared_role
    }
    with psycopg.connect(database_url) as connection:
        copies = connection.execute("SELECT position, stream, version FROM copies ORDER BY 1").fetchall()
    assert copies == [(each.position, each.event.originator_id, each.event.originator_version) for each in recorded]


class Gate(InlineProjection):
    """An inline projection that holds up its append, position in hand, until the lock is released."""

    name = "gate"

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await cursor.execute("SELECT pg_advisory_xact_lock(1)")


async def test_readers_see_the_events_of_the_writer_that_commits_last(database_url: str) -> None:
    async with (
        a_store(database_url, projections=[Gate()]) as slow,
        a_store(database_url) as quick,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as keeper,
    ):
        await keeper.execute("SELECT pg_advisory_lock(1)")
        with a_reader(database_url) as seen:
            first = asyncio.create_task(slow.save(a_role()))
            await waits_for_a_lock(database_url)
            second = asyncio.create_task(quick.save(a_role()))
            await asyncio.wait({second}, timeout=0.3)  # it may not overtake, so it is not done
            await keeper.execute("SELECT pg_advisory_unlock(1)")
            assert (await first, await second) == (1, 2)
    assert seen == [1, 2]


def a_role() -> Role:
    return Role.create(uuid4(), "org.admin", "org.admin")


async def prepare(database_url: str) -> UUID:
    with psycopg.connect(database_url) as connection:
        connection.execute(COPIES)
        connection.execute("GRANT INSERT ON copies TO rollbook_app")
    async with a_store(database_url, projections=[Copies()]) as store:
        role = a_role()
        await store.save(role)
    return role.id


async def everything_in_the_log(database_url: str) -> list[Recorded]:
    async with a_pool(database_url) as pool, pool.connection() as connection:
        reader = LogReader(EventCodec(Keyring(pool, MASTER_KEY)))
        head = await reader.head(connection)
        return (await reader.read(connection, 0, head, None)).events


async def holders_of(database_url: str, role_id: UUID) -> set[UUID]:
    async with a_store(database_url) as store:
        return set((await store.get(Role, role_id)).holders)
