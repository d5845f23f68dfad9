import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from migrations.runner import Migration, MigrationRefusedError, lacking, migrate, migrations_in
from tests.support.logins import application_dsn

FIRST = Migration(9001, "9001_first", "CREATE TABLE first ()")
SECOND = Migration(9002, "9002_second", "CREATE TABLE second (); GRANT SELECT ON second TO rollbook_app")
BROKEN = Migration(9003, "9003_broken", "CREATE TABLE third (); CREATE TABLE third ()")


def shipped(*more: Migration) -> list[Migration]:
    return [*migrations_in(), *more]


async def tables(dsn: str) -> set[str]:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        rows = await connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r'")
        return {name for (name,) in await rows.fetchall()} & {"first", "second", "third"}


def test_the_migrations_are_numbered_without_gaps() -> None:
    assert [migration.version for migration in migrations_in()] == [*range(1, len(migrations_in()) + 1)]


async def test_each_migration_is_applied_once_and_in_order(database_url: str) -> None:
    assert await migrate(database_url) == []
    assert await migrate(database_url, shipped(FIRST, SECOND)) == ["9001_first", "9002_second"]
    assert await migrate(database_url, shipped(FIRST, SECOND)) == []
    assert await tables(database_url) == {"first", "second"}


async def test_runners_at_the_same_time_apply_it_once(database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(database_url, shipped(FIRST, SECOND)) for _ in range(4)))
    assert sorted(applied) == [[], [], [], ["9001_first", "9002_second"]]


async def test_all_that_are_pending_are_applied_or_none(database_url: str) -> None:
    with pytest.raises(MigrationRefusedError, match=r'"third" already exists; in migrations/9003_broken\.sql'):
        await migrate(database_url, shipped(FIRST, BROKEN))
    assert await tables(database_url) == set()


async def test_a_file_that_was_changed_after_it_was_applied_is_refused(database_url: str) -> None:
    await migrate(database_url, shipped(FIRST))
    with pytest.raises(MigrationRefusedError, match=r"9001_first\.sql was changed"):
        await migrate(database_url, shipped(FIRST._replace(sql="CREATE TABLE other ()")))


async def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    await migrate(database_url, shipped(FIRST))
    with pytest.raises(MigrationRefusedError, match="9001_first, which this version of Rollbook lacks"):
        await migrate(database_url)


async def test_a_migration_before_an_applied_one_is_refused(database_url: str) -> None:
    await migrate(database_url, shipped(SECOND))
    with pytest.raises(MigrationRefusedError, match="give it a new number"):
        await migrate(database_url, shipped(FIRST, SECOND))


async def test_a_table_in_use_fails_the_migration_soon(database_url: str) -> None:
    await migrate(database_url, shipped(FIRST))
    async with await psycopg.AsyncConnection.connect(database_url) as busy:
        await busy.execute("SELECT * FROM first")
        drop = Migration(9002, "9002_drop", "DROP TABLE first")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await migrate(database_url, shipped(FIRST, drop), table_wait="100ms")


@contextmanager
def an_ordinary_owner(database_server: str, administration: psycopg.Connection) -> Iterator[str]:
    """The connection string of a new database's owner, who is no superuser."""
    name = f"owner_{uuid4().hex}"
    administration.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'".encode())
    administration.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
    try:
        yield make_conninfo(database_server, dbname=name, user=name, password=name)
    finally:
        administration.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        administration.execute(f"DROP ROLE {name}".encode())


async def test_an_owner_needs_no_membership_in_the_applications_role(
    database_server: str, administration: psycopg.Connection, template_database: str
) -> None:
    with an_ordinary_owner(database_server, administration) as dsn:
        assert await migrate(dsn) == [migration.name for migration in migrations_in()]
        async with await psycopg.AsyncConnection.connect(application_dsn(dsn)) as connection:
            assert await lacking(connection) == []


def test_names_are_checked(tmp_path: Path) -> None:
    (tmp_path / "1_short.sql").write_text("")
    with pytest.raises(MigrationRefusedError, match="NNNN_what"):
        migrations_in(tmp_path)
    (tmp_path / "1_short.sql").rename(tmp_path / "0001_one.sql")
    (tmp_path / "0001_two.sql").write_text("")
    with pytest.raises(MigrationRefusedError, match="0001_one, 0001_two"):
        migrations_in(tmp_path)
