"""Pooled connections: given out alive and unchanged, and made again as soon as the database is back (O26)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from adapters.log.announcer import Announcer
from adapters.postgres.connections import PipelineConnection, Pool, connect
from adapters.security.keyring import Keyring
from domain.access.roles import Role
from tests.adapters.log.test_held_head import a_role
from tests.support.edge import eventually
from tests.support.logins import application_dsn
from tests.support.proxy import Proxy, a_proxy
from tests.support.stores import MASTER_KEY, a_pool, a_store

pytestmark = pytest.mark.slow

CONNECTIONS = 6
END_SESSIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'tests'
"""


@asynccontextmanager
async def a_pool_behind_a_proxy(database_url: str) -> AsyncIterator[tuple[Pool, Proxy]]:
    """Of one connection, which has been used."""
    async with (
        a_proxy(application_dsn(database_url)) as proxy,
        Pool(proxy.dsn, application_name="tests", max_size=1) as pool,
    ):
        await use(pool)
        yield pool, proxy


async def use(pool: Pool, statement: bytes = b"SELECT pg_sleep(0.05)") -> None:
    async with pool.connection() as connection:
        await connection.execute(statement)


async def test_no_caller_gets_a_connection_that_ended_while_idle(database_url: str) -> None:
    async with a_pool(database_url, size=CONNECTIONS) as pool:
        for _ in range(2):
            await asyncio.gather(*(use(pool) for _ in range(CONNECTIONS)))
            with psycopg.connect(database_url, autocommit=True) as owner:
                assert len(owner.execute(END_SESSIONS).fetchall()) > 1
            await asyncio.gather(*(use(pool) for _ in range(CONNECTIONS)))


@pytest.mark.parametrize("seconds_away", [0.0, 8.0])
async def test_the_first_answer_comes_soon_after_the_database_is_back(database_url: str, seconds_away: float) -> None:
    async with a_pool_behind_a_proxy(database_url) as (pool, proxy):
        proxy.refuse()
        waiting = asyncio.create_task(use(pool))
        await asyncio.sleep(seconds_away)
        proxy.admit()
        began = time.monotonic()
        await waiting
        assert time.monotonic() - began < 2


async def test_a_pool_recovers_before_it_is_asked(database_url: str) -> None:
    async with a_pool_behind_a_proxy(database_url) as (pool, proxy):
        proxy.refuse()
        with pytest.raises(psycopg.OperationalError):
            async with pool.connection(timeout=0.2) as connection:
                await connection.execute("SELECT 1")
        proxy.admit()
        await eventually(lambda: pool.get_stats().get("pool_available"))


async def test_changes_of_a_connection_are_undone_when_it_is_returned(database_url: str) -> None:
    async with a_pool(database_url, size=1) as pool:
        async with pool.connection() as connection:
            await connection.set_autocommit(False)
        async with pool.connection() as connection:
            assert connection.autocommit


async def test_the_announcer_leaves_its_connection_as_it_was(database_url: str) -> None:
    async with a_pool(database_url, size=1) as pool:
        announcer = Announcer(pool)
        announcer.start()
        announcer.announce(1)
        await asyncio.sleep(0)  # it has begun
        await announcer.stop()
        async with pool.connection() as connection:
            assert connection.autocommit


def test_every_pool_is_an_instance_of_our_class() -> None:
    root = Path(__file__).parents[3]
    sources = [path for layer in ("adapters", "api", "projections", "workers") for path in (root / layer).rglob("*.py")]
    others = [path.name for path in sources if "AsyncConnectionPool(" in path.read_text()]
    assert others == []


async def test_a_read_after_an_append_is_one_statement(database_url: str) -> None:
    """Round trips are what a read costs; BEGIN and COMMIT would be two more."""
    role = a_role()
    async with a_store(database_url) as store:
        await store.save(role)
        await store.get(Role, role.id)
        with psycopg.connect(database_url) as owner:
            last = owner.execute(
                "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tests'"
            ).fetchall()
    assert last
    assert not [query for (query,) in last if query.upper() in {"COMMIT", "BEGIN", "ROLLBACK"}]


async def test_the_keys_are_read_in_one_statement(database_url: str) -> None:
    async with a_pool(database_url, size=1) as pool:
        keyring = Keyring(pool, MASTER_KEY)
        role = a_role()
        await keyring.keys_for_writing([role.id])
        await keyring.keys([role.id])
        with psycopg.connect(database_url) as owner:
            (last,) = owner.execute(
                "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tests'"
            ).fetchall()
    assert last[0].startswith("SELECT subject, key_id, wrapped")


async def test_a_pipeline_may_send_more_than_a_socket_holds(database_url: str) -> None:
    async with asyncio.timeout(10), await connect(database_url, application_name="tests") as connection:
        async with connection.pipeline() as pipeline:
            for size in (1, 20_000_000):
                await connection.execute("SELECT length(%s)", ["x" * size])
            await pipeline.sync()
        async with connection.pipeline(), connection.transaction():
            await connection.execute("SELECT length(%s)", ["x" * 20_000_000])


@pytest.mark.parametrize("failing", ["SELECT 1/0", "SELECT 1"])
async def test_a_pipeline_ends_with_its_first_error_and_logs_no_other(
    database_url: str, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with await connect(database_url, application_name="tests") as connection:
        with pytest.raises((LookupError, psycopg.errors.DivisionByZero)):  # the answer may arrive before the end
            await use_pipeline(connection, failing, "SELECT 2", then=LookupError)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await use_pipeline(connection, "SELECT 1/0")
        assert await (await connection.execute("SELECT 3")).fetchone() == (3,)
    assert caplog.text == ""


async def use_pipeline(
    connection: PipelineConnection, *statements: LiteralString, then: type[Exception] | None = None
) -> None:
    async with connection.pipeline():
        for statement in statements:
            await connection.execute(statement)
        if then is not None:
            raise then
