"""The settings of a command that works beside a running `rollbook up`, or on a machine of its own."""

import asyncio

from pydantic import SecretStr

from adapters.connections import Pool
from adapters.embedded_account import home_of
from adapters.embedded_postgres import EmbeddedPostgres
from adapters.embedded_valkey import EmbeddedValkey
from adapters.key_files import with_keys
from adapters.keyring import Keyring
from adapters.settings import InvalidSettingsError, Settings, load_settings
from migrations.runner import refuse_unmigrated
from workers.lifeline import supervised


def settings_with_database() -> Settings:
    """The environment's settings; without DATABASE_URL, with the servers that `rollbook up` runs on the data folder."""
    settings = load_settings()
    if settings.database_url is not None:
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
        asyncio.run(refuse_unmigrated(settings.owner_dsn()))
    return settings


def settings_of_a_part() -> Settings:
    """The same with both keys, which every part must have alike; refused when the master key is not the database's."""
    settings = with_keys(settings_with_tables(), make=False)
    if not supervised():
        asyncio.run(_refuse_another_master_key(settings))
    return settings


async def _refuse_another_master_key(settings: Settings) -> None:
    async with Pool(settings.dsn(), application_name="rollbook-start", max_size=1) as pool:
        await Keyring(pool, settings.master_key_bytes()).lookup()
