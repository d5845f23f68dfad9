"""The settings of a command that runs beside a running `rollbook up`, or on another machine."""

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
    """Return the settings. If no database is set, use the servers that `rollbook up` runs on the data folder."""
    settings = load_settings()
    if settings.database_url is not None or settings.app_database_url is not None:
        return settings
    running = dict[str, SecretStr]()
    if settings.data.exists():
        postgres, valkey = (
            EmbeddedPostgres(home_of(settings.data, "postgres")),
            EmbeddedValkey(home_of(settings.data, "valkey")),
        )
        if postgres.answers():
            running["database_url"] = SecretStr(postgres.dsn())
        if settings.redis_url is None and valkey.answers():
            running["redis_url"] = SecretStr(valkey.url)
    if "database_url" not in running:
        raise InvalidSettingsError(f"DATABASE_URL: must be set, because no `rollbook up` runs on {settings.data}")
    return settings.model_copy(update=running)


def settings_with_tables() -> Settings:
    """Return the settings with a database; raise MigrationRefusedError when migrations are missing.

    Under a supervisor the check is left out: the supervisor migrates before it starts a part.
    """
    settings = settings_with_database()
    if not supervised():
        asyncio.run(require_migrated(settings.looking_dsn()))
    return settings


def settings_of_the_owner() -> Settings:
    """Return the settings with the owner's login and the master key. Raises WrongMasterKey if the key is wrong."""
    settings = with_master_key(settings_with_tables())
    asyncio.run(_require_same_master_key(settings, settings.owner_dsn()))
    return settings


def settings_of_a_part(*, signs: bool = False) -> Settings:
    """Return the settings of a part: the master key and the application's login, without the owner's login.

    With `signs`, also the key that signs tokens. Raises InvalidSettingsError when a key is missing, and WrongMasterKey
    when the master key is not that of the database.
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
