"""Infrastructure only: a real Postgres with a database per test, a real Valkey, `async def` tests."""

import asyncio
import contextlib
import inspect
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters.embedded.account import open_folder
from adapters.embedded.launcher import EmbeddedServer
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.settings import APPLICATION_ROLE
from migrations.runner import migrate_sync, migrations_in
from tests.support.logins import LOGIN_PASSWORD

pytest_plugins = ["tests.support.personal_values"]

# pytest-xdist gives all workers of one run the same id, so that they share the servers
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
TEMPLATE_LOCK = 7_246_013_399_182_412

MEMORY, ENOUGH_MEMORY = Path("/dev/shm"), 4 * 2**30


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def` tests, each in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """A superuser's way to a server's maintenance database: ROLLBOOK_TEST_DATABASE_URL, else an embedded one."""
    if given := os.environ.get("ROLLBOOK_TEST_DATABASE_URL"):
        yield given
        return
    server = EmbeddedPostgres(shared_folder() / f"rb-{RUN[:12]}-pg", durable=False, discard=True)
    with used(server):
        yield server.dsn("postgres")


@pytest.fixture(scope="session")
def administration(database_server: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_server, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def template_database(database_server: str, administration: psycopg.Connection) -> str:
    """Name of a migrated, empty database, made once per set of migrations."""
    known = "".join(migration.checksum for migration in migrations_in())
    name = f"rollbook_template_{uuid.uuid5(uuid.NAMESPACE_OID, known).hex}"
    administration.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
    try:
        ready = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        if administration.execute(ready, [name]).fetchone() != ("ready",):
            administration.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            administration.execute(f"CREATE DATABASE {name}".encode())
            migrate_sync(make_conninfo(database_server, dbname=name))
            administration.execute(f"ALTER ROLE {APPLICATION_ROLE} LOGIN PASSWORD '{LOGIN_PASSWORD}'".encode())
            administration.execute(f"COMMENT ON DATABASE {name} IS 'ready'".encode())
    finally:
        administration.execute("SELECT pg_advisory_unlock(%s)", [TEMPLATE_LOCK])
    return name


@pytest.fixture
def database_url(database_server: str, administration: psycopg.Connection, template_database: str) -> Iterator[str]:
    """The owner's connection string of a migrated database that this test has for itself."""
    name = f"test_{uuid.uuid4().hex}"
    administration.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy".encode())
    yield make_conninfo(database_server, dbname=name)
    administration.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    server = EmbeddedValkey(shared_folder() / f"rb-{RUN[:12]}-vk", discard=True)
    with used(server):
        yield server.url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """URL of a database of this xdist worker on the shared Valkey; keys of earlier tests may still be in it."""
    return f"{redis_server}?db={int(WORKER.removeprefix('gw')) % 64}"


def shared_folder() -> Path:
    """Short, because sockets stand in it, and open to the user who runs servers for root.

    In memory where there is room: the copy of a database for each test is thousands of files, a third of a test's time.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ENOUGH_MEMORY:
        return MEMORY
    return open_folder(Path(tempfile.gettempdir()))


@contextlib.contextmanager
def used(server: EmbeddedServer) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        server.leave()  # other workers may still need it; it ends and is removed with the last one
