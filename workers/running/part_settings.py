"""The settings of a command that works beside a running `rollbook up`, or on a machine of its own."""

import asyncio

from pydantic import SecretStr

from adapters.embedded.account import home_of
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.environment import load_settings
from adapters.postgres.connections import Pool
from adapters.security.key_files import with_keys, with_master_key
from adapters.security.keyring import Keyring
from adapters.settings import InvalidSettingsError, Settings
from migrations.runner import require_migrated
from workers.running.database_login import with_application_login
from workers.running.lifeline import supervised


def settings_with_database() -> Settings:
    """The environment's settings; without a database, with the servers that `rollbook up` runs on the data folder."""
    settings = load_settings()
    if settings.database_url is not None or settings.app_database_url is not None:
        return settings
    found = dict[str, SecretStr]()
    if settings.data.exists():
        postgres, valkey = (
            EmbeddedPostgres(home_of(settings.data, "postgres")),
            EmbeddedValkey(home_of(settings.data, "valkey")),
        )
        if postgres.answers():
            found["database_url"] = SecretStr(postgres.dsn())
        if settings.redis_url is None and valkey.answers():
            found["redis_url"] = SecretStr(valkey.url)
    if "database_url" not in found:
        raise InvalidSettingsError(f"DATABASE_URL: must be set, because no `rollbook up` runs on {settings.data}")
    return settings.model_copy(update=found)


def settings_with_tables() -> Settings:
    """The same, refused when the database is not migrated; a supervisor has seen to that before it starts a part."""
    settings = settings_with_database()
    if not supervised():
        asyncio.run(require_migrated(settings.looking_dsn()))
    return settings


def settings_of_the_owner() -> Settings:
    """The same with the master key; refused when that is not the database's."""
    settings = with_master_key(settings_with_tables())
    asyncio.run(_require_same_master_key(settings, settings.owner_dsn()))
    return settings


def settings_of_a_part(*, signs: bool = False) -> Settings:
    """As a part works: with the master key and the application's login, and without the owner's.

    With the signing key when it `signs` tokens; refused when a key is missing, or the master key not the database's.
    """
    settings = settings_with_tables()
    settings = with_keys(settings, make=False) if signs else with_master_key(settings)
    if not supervised():
        settings = asyncio.run(with_application_login(settings))
        asyncio.run(_require_same_master_key(settings, settings.dsn()))
    if settings.app_database_url is None:  # DATABASE_URL is the application's login itself
        return settings
    return settings.model_copy(update={"database_url": None})


async def _require_same_master_key(settings: Settings, dsn: str) -> None:
    async with Pool(dsn, application_name="rollbook-start", max_size=1) as pool:
        await Keyring(pool, settings.master_key_bytes()).lookup()
