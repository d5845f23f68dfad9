"""Embedded, durable servers and their databases: a world is created once, and each benchmark gets a copy of it."""

import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from uuid import uuid4

from psycopg import AsyncConnection, sql
from pydantic import SecretStr

from adapters.embedded.account import home_of, open_folder, package_folder
from adapters.embedded.postgres import OWNER, EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.security.key_files import with_keys
from adapters.settings import Settings
from bench.figures import Figure, Limit
from bench.population import populate
from bench.stores import a_pool, a_store, keyring_of
from bench.world import World
from domain.sessions.service_accounts import ServiceName
from migrations.runner import migrate
from workers.following import projectors
from workers.jobs.worker import job_commands
from workers.running.bootstrap import bootstrap
from workers.running.database_login import with_application_login

SERVICE = ServiceName("apps", "bench")
WORLD_SOURCES = ("world.py", "population.py", "sizes.py", "../docs/events.md")
"""The files that determine a world. A kept world is created anew when one of them changes."""
Say = Callable[[str], None]


class Cluster:
    """A context manager that runs the servers. With `keep`, the worlds stay for the next run."""

    def __init__(self, folder: Path, say: Say, *, keep: bool) -> None:
        self._data = open_folder(folder)
        self._postgres = EmbeddedPostgres(home_of(self._data, "postgres"), discard=not keep)
        self._valkey = EmbeddedValkey(home_of(self._data, "valkey"), discard=not keep)
        self._say = say

    def __enter__(self) -> Self:
        self._postgres.start()
        self._valkey.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._valkey.stop()
        self._postgres.stop()

    @property
    def dsn(self) -> str:
        """Return the connection string of the maintenance database."""
        return self._postgres.dsn(OWNER)

    @property
    def pgbench(self) -> Path:
        """Return the path of pgbench, which measures Postgres alone."""
        return package_folder(self._postgres.package) / "pginstall" / "bin" / "pgbench"

    @property
    def server_process(self) -> int:
        """Return the process id of Postgres."""
        return int((self._postgres.home / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0])

    async def create(self, world: World) -> list[Figure]:
        """Create the world's database and return figures of creating it; an empty list if it exists."""
        name = _name(world)
        async with await AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            cursor = await connection.execute(
                "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname LIKE %s",
                (f"world_{world.size.name}_%",),
            )
            known: dict[str, str | None] = dict(await cursor.fetchall())
            if known.get(name) == "made":
                await migrate(self._settings(name).owner_dsn())
                return []
            for outdated in known:
                await connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(outdated)))
            await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            figures = await self._fill(name, world)
            await connection.execute(sql.SQL("COMMENT ON DATABASE {} IS 'made'").format(sql.Identifier(name)))
        return figures

    @asynccontextmanager
    async def copy(self, world: World) -> AsyncIterator[Settings]:
        """Copy the world's database, yield settings for the copy, and drop it afterwards."""
        name = f"copy_{uuid4().hex}"
        names = {"copy": sql.Identifier(name), "world": sql.Identifier(_name(world))}
        async with await AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            await connection.execute(
                sql.SQL("CREATE DATABASE {copy} TEMPLATE {world} STRATEGY file_copy").format(**names)
            )
            await connection.execute("CHECKPOINT")  # so that the benchmark does not pay for writing the copy
            try:
                yield await with_application_login(self._settings(name))
            finally:
                await connection.execute(sql.SQL("DROP DATABASE {copy} WITH (FORCE)").format(**names))

    def _settings(self, database: str) -> Settings:
        settings = Settings(
            database_url=SecretStr(self._postgres.dsn(database)),
            redis_url=SecretStr(self._valkey.url),
            data=self._data,
            service_accounts=f"{SERVICE}:bench-token-of-the-application",  # type: ignore[arg-type]  # as the environment gives it
        )
        return with_keys(settings, make=True)

    async def _fill(self, name: str, world: World) -> list[Figure]:
        await migrate(self._settings(name).owner_dsn())
        settings = await with_application_login(self._settings(name))
        await bootstrap(settings)
        began = time.perf_counter()
        async with a_pool(settings) as pool, a_store(settings, pool) as store:
            events = await populate(store, world, self._say)
            populated = time.perf_counter()
            keyring = keyring_of(settings, pool)
            commands = job_commands(store, pool, await keyring.lookup(), settings)
            await projectors.catch_up(pool, keyring, commands)
            caught_up = time.perf_counter()
        async with await AsyncConnection.connect(settings.owner_dsn(), autocommit=True) as connection:
            await connection.execute("VACUUM (ANALYZE, PARALLEL 0)")
            await connection.execute("CHECKPOINT")
        self._say(f"caught up after {caught_up - populated:.0f} s")
        rate = Limit("appending the same events, many to a save", events / (populated - began))
        return [
            Figure("making the world: events appended", rate.value, "events/s", []),
            Figure("catching up: all background projections", events / (caught_up - populated), "events/s", [rate]),
        ]


def _name(world: World) -> str:
    sources = "".join((Path(__file__).parent / name).read_text() for name in WORLD_SOURCES)
    return f"world_{world.size.name}_{hashlib.sha256(sources.encode()).hexdigest()[:12]}"
