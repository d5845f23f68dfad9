"""Small projections of the tests' own, a log to feed them, and a worker process to kill."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import psycopg
from psycopg import AsyncConnection, AsyncCursor

from adapters.log.codec import EventCodec
from adapters.log.event_store import EventStore
from adapters.log.notifications import LOG, Notifications
from adapters.log.reader import LogReader
from adapters.postgres.connections import Pool
from adapters.security.keyring import Keyring
from domain.access.roles import Role
from domain.core.recorded import Recorded
from projections.core import replicators
from projections.core.projection import Projection, WriteCursor
from tests.support.logins import application_dsn
from tests.support.stores import MASTER_KEY
from workers.following import projectors
from workers.following.projector import Projector


class RoleNames(Projection):
    """Every role's name with its position; a role named "poison" cannot be projected while POISONOUS is set."""

    name = "role_names"
    events = (Role.Created,)

    def __init__(self, *, poisonous: bool = True, pause: float = 0) -> None:
        self.poisonous = poisonous
        self.pause = pause

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        rows = [(each.position, vars(each.event)["name"]) for each in events]
        if self.poisonous and any(name == "poison" for _, name in rows):
            raise ValueError("a secret value")
        await cursor.execute(
            "INSERT INTO role_names (position, name) SELECT * FROM unnest(%s::bigint[], %s::text[])",
            ([position for position, _ in rows], [name for _, name in rows]),
        )
        if self.pause:
            await cursor.execute("SELECT pg_sleep(%s)", (self.pause,))


class EventCount(Projection):
    """How many events there were, of whatever kind."""

    name = "event_count"

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await cursor.execute(
            "INSERT INTO event_count (id, total) VALUES (1, %(n)s)"
            " ON CONFLICT (id) DO UPDATE SET total = event_count.total + %(n)s",
            {"n": len(events)},
        )


class Batches(EventCount):
    """Where its batches ended."""

    def __init__(self) -> None:
        self.ends: list[int] = []

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await super().apply(cursor, events)
        self.ends.append(events[-1].position)


def make_tables(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE role_names (position bigint PRIMARY KEY, name text NOT NULL)")
        connection.execute("CREATE TABLE event_count (id integer PRIMARY KEY, total bigint NOT NULL)")
        connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON role_names, event_count TO rollbook_app")


def a_role(name: str = "r") -> Role:
    return Role.create(uuid4(), name, name)


async def save_roles(store: EventStore, *names: str) -> int:
    """Each in an append of its own, in this order; the position of the last."""
    position = 0
    for name in names:
        position = await store.save(a_role(name))
    return position


async def save_roles_together(store: EventStore, *names: str) -> int:
    """All in one append; the position of the last."""
    return await store.save(*(a_role(name) for name in names))


@contextlib.asynccontextmanager
async def a_projector(database_url: str, *projections: Projection, batch: int = 1000) -> AsyncIterator[Projector]:
    """On a connection of its own, like a worker's; it leads nothing yet."""
    dsn = application_dsn(database_url)
    pool = Pool(dsn, application_name="tests", max_size=1)
    async with pool, await projectors.connect(dsn) as connection:
        await replicators.register(connection, projections)
        reader = LogReader(EventCodec(Keyring(pool, MASTER_KEY)))
        yield Projector(connection, reader, projections, batch)


async def follow(
    database_url: str,
    *projections: Projection,
    listen_url: str | None = None,
    stop: asyncio.Event | None = None,
    woken: asyncio.Event | None = None,
    poll: float = projectors.POLL,
) -> None:
    """Follow the log as a worker process does, until `stop`, which must also set `woken`."""
    stop, woken = stop or asyncio.Event(), woken or asyncio.Event()
    notifications = Notifications(listen_url or application_dsn(database_url))
    notifications.on(LOG, lambda _: woken.set())
    async with notifications, a_projector(database_url, *projections) as projector:
        await projectors.follow(projector, woken, stop, poll)


@contextlib.asynccontextmanager
async def following(
    database_url: str, *projections: Projection, listen_url: str | None = None, poll: float = projectors.POLL
) -> AsyncIterator[None]:
    """Stopped as workers are: a cancellation that comes together with a result gets lost (wait_for before 3.12)."""
    stop, woken = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(
        follow(database_url, *projections, listen_url=listen_url, stop=stop, woken=woken, poll=poll)
    )
    try:
        yield
    finally:
        stop.set()
        woken.set()
        await task


@contextlib.asynccontextmanager
async def a_worker_process(database_url: str, *, pause: float = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that follows with `RoleNames`, to be killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.followers", database_url, str(pause), env={**os.environ, "PYTHONPATH": "."}
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def eventually(connection: AsyncConnection, query: str, expected: object, *, seconds: float = 10) -> None:
    """Until the query's only value is the expected one; the connection is in autocommit."""
    value: object = None
    for _ in range(int(seconds / 0.01)):
        cursor = await connection.execute(query.encode())
        row = await cursor.fetchone()
        value = None if row is None else row[0]
        if value == expected:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{query} is {value!r}, not {expected!r}")


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1], RoleNames(pause=float(sys.argv[2])), EventCount()))
