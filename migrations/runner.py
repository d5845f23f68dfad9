"""Applies the files migrations/NNNN_what.sql: forward only, each once, all pending ones in one transaction."""

import asyncio
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from adapters.postgres.session_settings import session_dsn
from adapters.settings import APPLICATION_ROLE
from migrations.grants import grant_all

FOLDER = Path(__file__).parent
LOCK = 7_246_013_399_182_411  # an arbitrary number; no other advisory lock may have it
FOREIGN = (
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateObject,
    psycopg.errors.DuplicateFunction,
    psycopg.errors.DuplicateSchema,
)
WAIT_FOR_ANOTHER_RUNNER = "120s"
WAIT_FOR_A_TABLE = "5s"  # while a migration waits for the lock of a table, all later queries wait behind it


class MigrationRefusedError(Exception):
    """The migrations cannot be applied to this database; the text gives the reason."""


class Migration(NamedTuple):
    """One file of SQL."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Return a hash of the file's content."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_in(folder: Path = FOLDER) -> list[Migration]:
    """Return the migrations of a folder in order. Raises MigrationRefusedError for a wrong name or a double number."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        name = re.fullmatch(r"(\d{4})_[a-z0-9_]+\.sql", path.name)
        if name is None:
            raise MigrationRefusedError(f"{path.name} is not named NNNN_what.sql")
        migrations.append(Migration(int(name[1]), path.stem, path.read_text()))
    versions = [migration.version for migration in migrations]
    if len(set(versions)) != len(versions):
        names = ", ".join(migration.name for migration in migrations)
        raise MigrationRefusedError(f"two of these migrations have the same number: {names}")
    return migrations


async def migrate(
    dsn: str, migrations: Sequence[Migration] | None = None, *, table_wait: str = WAIT_FOR_A_TABLE
) -> list[str]:
    """Apply all pending migrations as the database's owner, or none, and return their names.

    The rights of the application's role are granted again each time. `table_wait` is how long a migration waits for a
    table that is in use. Raises MigrationRefusedError.
    """
    all_migrations = migrations_in() if migrations is None else migrations
    async with await psycopg.AsyncConnection.connect(session_dsn(dsn, "maintain"), autocommit=True) as connection:
        with _in_one_line():
            async with connection.transaction():
                await _require_suitable(connection)
                await _lock(connection, table_wait)
                await make_application_role(connection)
                pending = await _pending(connection, all_migrations)
                for migration in pending:
                    await _apply(connection, migration)
                await grant_all(connection, [migration.sql for migration in all_migrations])
    return [migration.name for migration in pending]


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Turn errors that an operator can correct into a MigrationRefusedError of one line."""
    try:
        yield
    except FOREIGN as error:
        raise MigrationRefusedError(
            f"the database has an object of another program with a name that Rollbook uses: {_message(error)}"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationRefusedError(f"this database user lacks rights: {_message(error)}") from error


def _message(error: psycopg.Error) -> str:
    return "; ".join([error.diag.message_primary or type(error).__name__, *getattr(error, "__notes__", ())])


async def _require_suitable(connection: psycopg.AsyncConnection) -> None:
    cursor = await connection.execute(
        "SELECT current_setting('server_encoding'), current_setting('transaction_read_only')"
    )
    row = await cursor.fetchone()
    assert row is not None
    encoding, read_only = row
    if read_only == "on":
        raise MigrationRefusedError("the database is read-only: it is a standby, or its administrator has set it so")
    if encoding != "UTF8":
        raise MigrationRefusedError(f"the database's encoding is {encoding}: create it with ENCODING 'UTF8'")


async def lacking(connection: psycopg.AsyncConnection) -> list[str]:
    """Return the names of the migrations that the database lacks. Any user of the database may read them."""
    try:
        cursor = await connection.execute("SELECT version FROM schema_migrations")
    except psycopg.errors.UndefinedTable:
        return [migration.name for migration in migrations_in()]
    applied = {version for (version,) in await cursor.fetchall()}
    return [migration.name for migration in migrations_in() if migration.version not in applied]


async def require_migrated(dsn: str) -> None:
    """Raise MigrationRefusedError if the database lacks a migration."""
    async with await psycopg.AsyncConnection.connect(session_dsn(dsn, "maintain"), autocommit=True) as connection:
        if names := await lacking(connection):
            raise MigrationRefusedError(f"the database lacks {names[0]}: run `rollbook migrate` first")


def migrate_sync(dsn: str) -> list[str]:
    """Run `migrate` for callers without an event loop."""
    return asyncio.run(migrate(dsn))


async def make_application_role(connection: psycopg.AsyncConnection) -> None:
    """Create the application's role unless it exists. Another database's runner may create it at the same moment.

    Raises MigrationRefusedError when this user may not create it, or when it has more rights than those granted here.
    """
    try:
        await connection.execute(f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') THEN
                    CREATE ROLE {APPLICATION_ROLE} NOLOGIN NOINHERIT;
                END IF;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$""")
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationRefusedError(
            f"this database user may not create the role {APPLICATION_ROLE}; let an administrator run: "
            f"CREATE ROLE {APPLICATION_ROLE} LOGIN PASSWORD '…'"
        ) from error
    cursor = await connection.execute(_MORE_RIGHTS, [APPLICATION_ROLE])
    if more := [right for (right,) in await cursor.fetchall()]:
        raise MigrationRefusedError(f"the role {APPLICATION_ROLE} must have no rights of its own: {', '.join(more)}")


# Only memberships of the role itself count, not those of its administrators: a user who creates a role becomes one.
_MORE_RIGHTS = """
WITH application AS (SELECT * FROM pg_roles WHERE rolname = %s)
SELECT 'it is a superuser' FROM application WHERE rolsuper
UNION ALL SELECT 'it may create roles' FROM application WHERE rolcreaterole
UNION ALL SELECT 'it may create databases' FROM application WHERE rolcreatedb
UNION ALL SELECT 'it may replicate' FROM application WHERE rolreplication
UNION ALL SELECT 'it bypasses row security' FROM application WHERE rolbypassrls
UNION ALL SELECT 'it is a member of ' || roleid::regrole FROM pg_auth_members
    JOIN application ON member = application.oid
UNION ALL SELECT 'it owns ' || pg_describe_object(classid, objid, objsubid) FROM pg_shdepend
    JOIN application ON refclassid = 'pg_authid'::regclass AND refobjid = application.oid
    WHERE deptype = 'o' AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def _lock(connection: psycopg.AsyncConnection, table_wait: str) -> None:
    await connection.execute(f"SET LOCAL lock_timeout = '{WAIT_FOR_ANOTHER_RUNNER}'")
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    await connection.execute(f"SET LOCAL lock_timeout = '{table_wait}'")
    await _require_own_migrations(connection)
    await connection.execute("""
        CREATE TABLE IF NOT EXISTS schema_migrations (
            version integer PRIMARY KEY,
            name text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )""")


async def _require_own_migrations(connection: psycopg.AsyncConnection) -> None:
    """Raise MigrationRefusedError if schema_migrations belongs to another program; several use this name."""
    cursor = await connection.execute(_FOREIGN_COLUMNS)
    if await cursor.fetchone() == (True,):
        raise MigrationRefusedError(
            "the database has an object of another program with a name that Rollbook uses: schema_migrations"
        )


_FOREIGN_COLUMNS = """
SELECT array_agg(attname || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum)
       IS DISTINCT FROM ARRAY['version integer', 'name text', 'checksum text', 'applied_at timestamp with time zone']
FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attnum > 0 AND NOT attisdropped
HAVING to_regclass('schema_migrations') IS NOT NULL
"""


async def _pending(connection: psycopg.AsyncConnection, migrations: Sequence[Migration]) -> list[Migration]:
    cursor = await connection.execute("SELECT version, name, checksum FROM schema_migrations ORDER BY version")
    applied = {version: (name, checksum) for version, name, checksum in await cursor.fetchall()}
    known = {migration.version: migration for migration in migrations}
    for version, (name, checksum) in applied.items():
        if version not in known:
            raise MigrationRefusedError(f"the database has migration {name}, which this version of Rollbook lacks")
        if known[version].checksum != checksum:
            raise MigrationRefusedError(
                f"{known[version].name}.sql was changed after it was applied (as {name}): restore it and add a new file"
            )
    pending = [migration for migration in migrations if migration.version not in applied]
    if pending and applied and pending[0].version < max(applied):
        raise MigrationRefusedError(f"{pending[0].name}.sql precedes a migration that is applied: give it a new number")
    return pending


async def _apply(connection: psycopg.AsyncConnection, migration: Migration) -> None:
    try:
        await connection.execute(migration.sql.encode())
    except psycopg.Error as error:
        error.add_note(f"in migrations/{migration.name}.sql")
        error.add_note("nothing was changed")
        raise
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        [migration.version, migration.name, migration.checksum],
    )
