"""A new master key: every data key is wrapped anew; values, hashes and answers stay as they are."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from adapters.embedded.account import home_of
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.postgres.connections import Pool
from adapters.postgres.session_settings import session_dsn
from adapters.security.key_files import master_key, next_master_key, put_in_place
from adapters.security.keyring import Keyring, WrongMasterKey
from adapters.settings import Settings


class RotationRefusedError(Exception):
    """The master key cannot be changed now; the text says why."""


async def rotate_master_key(settings: Settings, say: Callable[[str], None]) -> None:
    """Change the master key of a database that nobody works on. May be repeated after it was interrupted.

    Raises InvalidSettingsError, RotationRefusedError, and WrongMasterKey when neither key opens the database's keys.
    """
    old = master_key(settings, make=False)
    with _database(settings) as dsn:
        async with Pool(session_dsn(dsn, "maintain"), application_name=NAME, max_size=2) as pool:
            await _require_unused(pool)
            new = next_master_key(settings)  # on the disk before the database knows it
            rotated = await _rotate(pool, _bytes(old), _bytes(new))
    say(f"{rotated:,} keys are wrapped anew.")
    former = put_in_place(settings)
    if former is None:
        say("Start everything with the new key as ROLLBOOK_MASTER_KEY. Older backups still need the former one.")
    else:
        say(f"Older backups still need the former master key, which is in {former} now; keep it apart from them.")


async def _rotate(pool: AsyncConnectionPool, old: bytes, new: bytes) -> int:
    try:
        return await Keyring(pool, old).rotate(new)
    except WrongMasterKey:  # an earlier rotation ended between the database and the file
        return await Keyring(pool, new).rotate(new)


async def _require_unused(pool: AsyncConnectionPool) -> None:
    """What runs keeps the old key in memory, and would open nothing any more."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_WHO_WORKS)
        names = [name for (name,) in await cursor.fetchall()]
    if names:
        raise RotationRefusedError(f"stop what works on the database first: {', '.join(names)}")


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The one that is set, else the embedded one, started for the occasion."""
    if settings.database_url is not None:
        yield settings.owner_dsn()
        return
    server = EmbeddedPostgres(home_of(settings.data, "postgres"))
    with server:
        yield server.dsn()


def _bytes(key: SecretStr) -> bytes:
    return b64decode(key.get_secret_value())


NAME = "rollbook: rotation of the master key"

_WHO_WORKS = """
SELECT DISTINCT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'rollbook-%' ORDER BY 1
"""
