"""Replaces the master key: wraps every data key under the new one. Encrypted values and hashes do not change."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from adapters.embedded.account import home_of
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.postgres.connections import Pool
from adapters.postgres.session_settings import session_dsn
from adapters.security.key_files import master_key, next_master_key, replace_master_key
from adapters.security.keyring import Keyring, WrongMasterKey
from adapters.settings import Settings


class RotationRefusedError(Exception):
    """The master key cannot be changed now; the text gives the reason."""


async def rotate_master_key(settings: Settings, say: Callable[[str], None]) -> None:
    """Change the master key of a database that no other process uses. Can be repeated after an interruption.

    Raises InvalidSettingsError, RotationRefusedError, and WrongMasterKey when neither key opens the database's keys.
    """
    old = master_key(settings, make=False)
    with _database(settings) as dsn:
        async with Pool(session_dsn(dsn, "maintain"), application_name=NAME, max_size=2) as pool:
            await _require_unused(pool)
            new = next_master_key(settings)  # written to the disk before the database uses it
            rotated = await _rotate(pool, _bytes(old), _bytes(new))
    say(f"{rotated:,} data keys are wrapped under the new master key.")
    former = replace_master_key(settings)
    if former is None:
        say("Start all parts with the new key as ROLLBOOK_MASTER_KEY. Older backups still need the former key.")
    else:
        say(f"Older backups still need the former master key, which is now in {former}. Store it apart from them.")


async def _rotate(pool: AsyncConnectionPool, old: bytes, new: bytes) -> int:
    try:
        return await Keyring(pool, old).rotate(new)
    except WrongMasterKey:  # an earlier rotation changed the database and was interrupted before it replaced the file
        return await Keyring(pool, new).rotate(new)


async def _require_unused(pool: AsyncConnectionPool) -> None:
    """Raise RotationRefusedError if other processes use the database: they hold the old key in memory."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_RUNNING)
        names = [name for (name,) in await cursor.fetchall()]
    if names:
        raise RotationRefusedError(f"stop the processes that use the database first: {', '.join(names)}")


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """Yield the connection string of the configured database, or start the embedded one and yield its own."""
    if settings.database_url is not None:
        yield settings.owner_dsn()
        return
    server = EmbeddedPostgres(home_of(settings.data, "postgres"))
    with server:
        yield server.dsn()


def _bytes(key: SecretStr) -> bytes:
    return b64decode(key.get_secret_value())


NAME = "rollbook: rotation of the master key"

_RUNNING = """
SELECT DISTINCT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'rollbook-%' ORDER BY 1
"""
