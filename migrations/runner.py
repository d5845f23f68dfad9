"""Applies migrations/NNNN_what.sql: forward only, each once, all that are pending in one transaction."""

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
LOCK = 7_246_013_399_182_411  # any number that nobody else uses
FOREIGN = (
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateObject,
    psycopg.errors.DuplicateFunction,
    psycopg.errors.DuplicateSchema,
)
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


async def migrate(
    dsn: str, migrations: Sequence[Migration] | None = None, *, table_wait: str = WAIT_FOR_A_TABLE
) -> list[str]:
    """Bring the database up to date as its owner; the names of what was applied now, none when it already was.

    All or nothing. What the application's role may do is granted anew each time. `table_wait` is how long a migration
    waits for a table that is in use. Raises MigrationRefusedError.
    """
    wanted = migrations_in() if migrations is None else migrations
    async with await psycopg.AsyncConnection.connect(session_dsn(dsn, "maintain"), autocommit=True) as connection:
        with _told_in_one_line():
            async with connection.transaction():
                await _require_suitable(connection)
                await _lock(connection, table_wait)
                await make_application_role(connection)
                pending = await _pending(connection, wanted)
                for migration in pending:
                    await _apply(connection, migration)
                await grant_all(connection, [migration.sql for migration in wanted])
    return [migration.name for migration in pending]


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    try:
        yield
    except FOREIGN as error:
        raise MigrationRefusedError(
            f"the database has something of another program under a name that Rollbook uses: {_said(error)}"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationRefusedError(f"this database user lacks rights: {_said(error)}") from error


def _said(error: psycopg.Error) -> str:
    return "; ".join([error.diag.message_primary or type(error).__name__, *getattr(error, "__notes__", ())])


async def _require_suitable(connection: psycopg.AsyncConnection) -> None:
    cursor = await connection.execute(
        "SELECT current_setting('server_encoding'), current_setting('transaction_read_only')"
    )
    row = await cursor.fetchone()
    assert row is not None
    encoding, read_only = row
    if read_only == "on":
        raise MigrationRefusedError("the database is read-only: a standby, or made so by its administrator")
    if encoding != "UTF8":
        raise MigrationRefusedError(f"the database's encoding is {encoding}: create it with ENCODING 'UTF8'")


async def lacking(connection: psycopg.AsyncConnection) -> list[str]:
    """Names of the migrations that this version has and the database lacks; any user of it may ask."""
    try:
        cursor = await connection.execute("SELECT version FROM schema_migrations")
    except psycopg.errors.UndefinedTable:
        return [migration.name for migration in migrations_in()]
    applied = {version for (version,) in await cursor.fetchall()}
    return [migration.name for migration in migrations_in() if migration.version not in applied]


async def require_migrated(dsn: str) -> None:
    """Raises MigrationRefusedError when something is lacking, which only the database's owner may mend."""
    async with await psycopg.AsyncConnection.connect(session_dsn(dsn, "maintain"), autocommit=True) as connection:
        if names := await lacking(connection):
            raise MigrationRefusedError(f"the database lacks {names[0]}: run `rollbook migrate` first")


def migrate_sync(dsn: str) -> list[str]:
    """`migrate` for callers without an event loop."""
    return asyncio.run(migrate(dsn))


async def make_application_role(connection: psycopg.AsyncConnection) -> None:
    """Roles belong to the whole server: other databases' runners may make it at this very moment.

    Raises MigrationRefusedError when it may not be made, or when the role has rights beside those that it is granted.
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
            f"this database user may not make the role {APPLICATION_ROLE}; let an administrator run: "
            f"CREATE ROLE {APPLICATION_ROLE} LOGIN PASSWORD '…'"
        ) from error
    cursor = await connection.execute(_MORE_RIGHTS, [APPLICATION_ROLE])
    if more := [right for (right,) in await cursor.fetchall()]:
        raise MigrationRefusedError(f"the role {APPLICATION_ROLE} must have no rights of its own: {', '.join(more)}")


# Of memberships those that are in force: whoever makes a role becomes its administrator, which is the other way round.
_MORE_RIGHTS = """
WITH application AS (SELECT * FROM pg_roles WHERE rolname = %s)
SELECT 'it is a superuser' FROM application WHERE rolsuper
UNION ALL SELECT 'it may make roles' FROM application WHERE rolcreaterole
UNION ALL SELECT 'it may make databases' FROM application WHERE rolcreatedb
UNION ALL SELECT 'it may replicate' FROM application WHERE rolreplication
UNION ALL SELECT 'it passes row security' FROM application WHERE rolbypassrls
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
    """Other programs keep their migrations under this name too."""
    cursor = await connection.execute(_FOREIGN_COLUMNS)
    if await cursor.fetchone() == (True,):
        raise MigrationRefusedError(
            "the database has something of another program under a name that Rollbook uses: schema_migrations"
        )


_FOREIGN_COLUMNS = """
SELECT array_agg(attname || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum)
       IS DISTINCT FROM ARRAY['version integer', 'name text', 'checksum text', 'applied_at timestamp with time zone']
FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attnum > 0 AND NOT attisdropped
HAVING to_regclass('schema_migrations') IS NOT NULL
"""


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
        error.add_note(f"in migrations/{migration.name}.sql")
        error.add_note("nothing was changed")
        raise
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        [migration.version, migration.name, migration.checksum],
    )
