"""Applies migrations/NNNN_what.sql: forward only, each once, all that are pending in one transaction."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from adapters.session_settings import session_dsn

FOLDER = Path(__file__).parent
LOCK = 7_246_013_399_182_411  # any number that nobody else uses
APPLICATION_ROLE = "rollbook_app"
WAIT_FOR_ANOTHER_RUNNER = "120s"
WAIT_FOR_A_TABLE = "5s"  # a migration that queues behind a long query would make every other query queue behind it


class MigrationRefusedError(Exception):
    """The database and the migration files do not belong together; the text says which file and why."""


class Migration(NamedTuple):
    """One file of SQL."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Changes with every byte of the file."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_in(folder: Path = FOLDER) -> list[Migration]:
    """The migrations of a folder in order; refused when a name is not NNNN_what.sql or a number stands twice."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        name = re.fullmatch(r"(\d{4})_[a-z0-9_]+\.sql", path.name)
        if name is None:
            raise MigrationRefusedError(f"{path.name} is not named NNNN_what.sql")
        found.append(Migration(int(name[1]), path.stem, path.read_text()))
    versions = [migration.version for migration in found]
    if len(set(versions)) != len(versions):
        raise MigrationRefusedError(f"a number stands twice among {', '.join(m.name for m in found)}")
    return found


async def migrate(dsn: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Bring the database up to date as its owner; the names of what was applied now, none when it already was."""
    wanted = migrations_in() if migrations is None else migrations
    async with await psycopg.AsyncConnection.connect(session_dsn(dsn, "maintain"), autocommit=True) as connection:
        await _make_application_role(connection)
        async with connection.transaction():
            await _lock(connection)
            pending = await _pending(connection, wanted)
            for migration in pending:
                await _apply(connection, migration)
    return [migration.name for migration in pending]


async def lacking(connection: psycopg.AsyncConnection) -> list[str]:
    """Names of the migrations that this version has and the database lacks; any user of it may ask."""
    try:
        cursor = await connection.execute("SELECT version FROM schema_migrations")
    except psycopg.errors.UndefinedTable:
        return [migration.name for migration in migrations_in()]
    applied = {version for (version,) in await cursor.fetchall()}
    return [migration.name for migration in migrations_in() if migration.version not in applied]


async def refuse_unmigrated(dsn: str) -> None:
    """Raises MigrationRefusedError when something is lacking, which only the database's owner may mend."""
    async with await psycopg.AsyncConnection.connect(session_dsn(dsn, "maintain"), autocommit=True) as connection:
        if names := await lacking(connection):
            raise MigrationRefusedError(f"the database lacks {names[0]}: run `rollbook migrate` first")


def migrate_sync(dsn: str) -> list[str]:
    """`migrate` for callers without an event loop."""
    return asyncio.run(migrate(dsn))


async def _make_application_role(connection: psycopg.AsyncConnection) -> None:
    """Roles belong to the whole server: other databases' runners may make it at this very moment."""
    try:
        await connection.execute(f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') THEN
                    CREATE ROLE {APPLICATION_ROLE} NOLOGIN;
                END IF;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$""")
        if not await _may_act_as_it(connection):  # since Postgres 16 not even he who made it, unless he is a superuser
            await connection.execute(f"GRANT {APPLICATION_ROLE} TO current_user")
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationRefusedError(
            f"this database user may not make the role {APPLICATION_ROLE}; let an administrator run: "
            f"CREATE ROLE {APPLICATION_ROLE} NOLOGIN; GRANT {APPLICATION_ROLE} TO <this user>;"
        ) from error


async def _may_act_as_it(connection: psycopg.AsyncConnection) -> bool:
    try:
        await connection.execute(f"SET ROLE {APPLICATION_ROLE}")
        await connection.execute("RESET ROLE")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


async def _lock(connection: psycopg.AsyncConnection) -> None:
    await connection.execute(f"SET LOCAL lock_timeout = '{WAIT_FOR_ANOTHER_RUNNER}'")
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    await connection.execute(f"SET LOCAL lock_timeout = '{WAIT_FOR_A_TABLE}'")
    await connection.execute("""
        CREATE TABLE IF NOT EXISTS schema_migrations (
            version integer PRIMARY KEY,
            name text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )""")


async def _pending(connection: psycopg.AsyncConnection, wanted: Sequence[Migration]) -> list[Migration]:
    cursor = await connection.execute("SELECT version, name, checksum FROM schema_migrations ORDER BY version")
    applied = {version: (name, checksum) for version, name, checksum in await cursor.fetchall()}
    known = {migration.version: migration for migration in wanted}
    for version, (name, checksum) in applied.items():
        if version not in known:
            raise MigrationRefusedError(f"the database has migration {name}, which this version of Rollbook lacks")
        if known[version].checksum != checksum:
            raise MigrationRefusedError(
                f"{known[version].name}.sql was changed after it was applied (as {name}): restore it and add a new file"
            )
    pending = [migration for migration in wanted if migration.version not in applied]
    if pending and applied and pending[0].version < max(applied):
        raise MigrationRefusedError(f"{pending[0].name}.sql comes before what is already applied: give it a new number")
    return pending


async def _apply(connection: psycopg.AsyncConnection, migration: Migration) -> None:
    try:
        await connection.execute(migration.sql.encode())
    except psycopg.Error as error:
        error.add_note(f"in migrations/{migration.name}.sql; nothing was applied")
        raise
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        [migration.version, migration.name, migration.checksum],
    )
