"""A new master key: everything can still be read, with it alone, whenever the rotation was interrupted."""

import stat
from base64 import b64encode
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from adapters.security.key_files import master_key, next_master_key
from adapters.security.keyring import Keyring, WrongMasterKey
from adapters.settings import InvalidSettingsError, Settings
from tests.support.stores import MASTER_KEY, a_pool
from tests.support.world.product import PASSWORD, a_world, settings_for
from workers.running.bootstrap import bootstrap
from workers.running.rotation import RotationRefusedError, rotate_master_key

OLD, NEW = (SecretStr(b64encode(key).decode()) for key in (MASTER_KEY, bytes(32)))


async def rotated(settings: Settings) -> list[str]:
    """What was said."""
    said: list[str] = []
    await rotate_master_key(settings, said.append)
    return said


def files_in(folder: Path) -> dict[str, int]:
    """Names and modes."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def with_a_file(database_url: str, folder: Path) -> Settings:
    """As the embedded run has it: the key stands in a file."""
    (folder / "master.key").write_text(OLD.get_secret_value())
    return settings_for(database_url, master_key=None, data=folder)


async def test_people_sign_in_after_it_as_before(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann = await world.provider(await world.organization(), "ann@people.test")
    said = await rotated(settings_for(database_url, new_master_key=NEW))
    assert said[0].endswith("data keys are wrapped under the new master key.")
    async with a_world(database_url, master_key=NEW) as world:
        await world.post("/v1/login/", {"username": "ann@people.test", "password": PASSWORD}, world.system)
        shown = await world.get(f"/v1/users/{ann.user_id}/", world.system)
        assert shown["data"]["attributes"]["email"] == "ann@people.test"
    with pytest.raises(WrongMasterKey):
        await bootstrap(settings_for(database_url))


async def test_the_key_file_is_replaced_and_the_old_key_kept(database_url: str, tmp_path: Path) -> None:
    settings = with_a_file(database_url, tmp_path)
    await bootstrap(settings_for(database_url))
    for number in (1, 2):
        former = master_key(settings, make=False)
        assert str(tmp_path / f"master.key.{number}") in (await rotated(settings))[-1]
        assert (tmp_path / f"master.key.{number}").read_text() == former.get_secret_value()
        assert master_key(settings, make=False) != former
    assert files_in(tmp_path).keys() == {"master.key", "master.key.1", "master.key.2"}
    assert files_in(tmp_path)["master.key"] == 0o600
    assert await bootstrap(settings_for(database_url, master_key=master_key(settings, make=False))) is None


@pytest.mark.parametrize("database_knows", [False, True])
async def test_an_interrupted_rotation_is_finished_by_the_next(
    database_url: str, tmp_path: Path, database_knows: bool
) -> None:
    settings = with_a_file(database_url, tmp_path)
    await bootstrap(settings_for(database_url))
    new = next_master_key(settings)
    if database_knows:
        async with a_pool(database_url) as pool:
            await Keyring(pool, MASTER_KEY).rotate(settings_for(database_url, master_key=new).master_key_bytes())
    await rotated(settings)
    assert master_key(settings, make=False) == new
    assert await bootstrap(settings_for(database_url, master_key=new)) is None


async def test_it_is_refused_while_something_works_on_the_database(database_url: str, tmp_path: Path) -> None:
    settings = with_a_file(database_url, tmp_path)
    async with a_world(database_url):
        with pytest.raises(RotationRefusedError, match="rollbook-api, rollbook-listener, rollbook-projector"):
            await rotated(settings)
    at_work = psycopg.connect(make_conninfo(database_url, application_name="rollbook-jobs"))
    with at_work, pytest.raises(RotationRefusedError, match="rollbook-jobs"):
        await rotated(settings)
    assert files_in(tmp_path).keys() == {"master.key"}


async def test_a_configured_key_is_not_replaced_by_a_generated_one(database_url: str) -> None:
    with pytest.raises(InvalidSettingsError, match="ROLLBOOK_NEW_MASTER_KEY: must be set"):
        await rotated(settings_for(database_url))


async def test_neither_key_fits(database_url: str) -> None:
    await bootstrap(settings_for(database_url))
    other = SecretStr(b64encode(bytes([1] * 32)).decode())
    with pytest.raises(WrongMasterKey):
        await rotated(settings_for(database_url, master_key=other, new_master_key=NEW))
    assert await bootstrap(settings_for(database_url)) is None
