"""Processes that append to one log as fast as they can and tell what was acknowledged, until they are killed."""

import asyncio
import os
import signal
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from uuid import UUID, uuid4

from adapters.log.event_store import EventStore
from domain.access.roles import Role
from domain.core.errors import LostRace
from domain.core.ports import retry_on_conflict
from domain.core.recorded import Recorded
from projections.core.projection import InlineProjection, WriteCursor
from tests.support.stores import a_store

WRITERS_IN_A_PROCESS = 4
COPIES = "CREATE TABLE copies (position bigint PRIMARY KEY, stream uuid, version bigint)"


class Copies(InlineProjection):
    """An inline projection that holds what the log holds."""

    name = "copies"

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await cursor.execute(
            "INSERT INTO copies SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::bigint[])",
            (
                [position for position, _ in events],
                [event.originator_id for _, event in events],
                [event.originator_version for _, event in events],
            ),
        )


class Diary:
    """One line a command, written by the system call itself, so that it outlives the process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def acknowledged(self, position: int, holder: UUID) -> None:
        os.write(self._file, f"{position} {holder}\n".encode())

    def refused(self, holder: UUID) -> None:
        os.write(self._file, f"refused {holder}\n".encode())


def start_process(database_url: str, shared_role: UUID, diary: Path) -> BaseProcess:
    """Forked from a server that has imported everything already: a new one works within milliseconds."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_run, args=(database_url, shared_role, diary), daemon=True)
    process.start()
    return process


def _run(database_url: str, shared_role: UUID, diary: Path) -> None:
    asyncio.run(_write_until_told(database_url, shared_role, Diary(diary)))


async def _write_until_told(database_url: str, shared_role: UUID, diary: Diary) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with a_store(database_url, projections=[Copies()]) as store:
        await asyncio.gather(*(_write(store, shared_role, diary, stop) for _ in range(WRITERS_IN_A_PROCESS)))


async def _write(store: EventStore, shared_role: UUID, diary: Diary, stop: asyncio.Event) -> None:
    """Mostly on roles of its own, now and then on the one that all writers want to change."""
    while not stop.is_set():
        own = Role.create(uuid4(), "org.admin", "org.admin")
        for _ in range(10):
            holder = uuid4()
            own.grant(holder, live=True)
            diary.acknowledged(await store.save(own), holder)
        holder = uuid4()
        try:
            diary.acknowledged(await _grant(store, shared_role, holder), holder)
        except LostRace:
            diary.refused(holder)


def start_granting(database_url: str, role_id: UUID, number: int) -> BaseProcess:
    """A process that grants the role to as many, all at once. It ends with 0 when each grant was carried out."""
    process = get_context("forkserver").Process(target=_run_grants, args=(database_url, role_id, number), daemon=True)
    process.start()
    return process


def _run_grants(database_url: str, role_id: UUID, number: int) -> None:
    asyncio.run(_grant_to_many(database_url, role_id, number))


async def _grant_to_many(database_url: str, role_id: UUID, number: int) -> None:
    async with a_store(database_url) as store:
        await asyncio.gather(*(_grant(store, role_id, uuid4()) for _ in range(number)))


@retry_on_conflict
async def _grant(store: EventStore, role_id: UUID, holder: UUID) -> int:
    role = await store.get(Role, role_id)
    role.grant(holder, live=True)
    return await store.save(role)
