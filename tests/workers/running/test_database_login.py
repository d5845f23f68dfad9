"""The login of parts that know only the owner's connection string. On a server of its own, because roles are shared."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.settings import InvalidSettingsError, Settings
from migrations.runner import migrate_sync
from tests.support.running import KEYS, a_folder
from tests.support.world.product import settings_for
from workers.running.database_login import with_application_login
from workers.running.part_settings import settings_of_a_part

pytestmark = pytest.mark.slow

OTHER_KEY = "B" * 43 + "="


@pytest.fixture(scope="module")
def own_server() -> Iterator[str]:
    with a_folder() as folder, EmbeddedPostgres(folder / "postgres", durable=False) as server:
        migrate_sync(server.dsn())
        yield server.dsn()


def owners_settings(dsn: str, **changes: str) -> Settings:
    own = {"app_database_url": None, "master_key": KEYS["ROLLBOOK_MASTER_KEY"]}
    return settings_for(dsn, **{**own, **changes})


def who(dsn: str) -> tuple[object, ...] | None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("RESET ROLE; RESET SESSION AUTHORIZATION")
        return connection.execute("SELECT session_user::text, current_user::text").fetchone()


async def test_parts_that_know_the_owner_log_in_as_the_application(own_server: str) -> None:
    settings = await with_application_login(owners_settings(own_server))
    for dsn in (settings.dsn(), settings.dsn("write"), settings.listen_dsn("project")):
        assert who(dsn) == ("rollbook_app", "rollbook_app")


async def test_parts_on_several_machines_agree_on_the_login(own_server: str) -> None:
    first, second = [await with_application_login(owners_settings(own_server)) for _ in range(2)]
    assert first.dsn() == second.dsn()
    assert who(first.dsn()) == who(second.dsn())


async def test_the_login_is_not_taken_from_another_installation(own_server: str) -> None:
    settings = await with_application_login(owners_settings(own_server))
    async with await psycopg.AsyncConnection.connect(settings.dsn()):
        with pytest.raises(InvalidSettingsError, match="another installation uses the role rollbook_app"):
            await with_application_login(owners_settings(own_server, master_key=OTHER_KEY))
    assert who((await with_application_login(owners_settings(own_server, master_key=OTHER_KEY))).dsn())


async def test_an_owner_without_rights_is_told_the_missing_right(own_server: str) -> None:
    with psycopg.connect(own_server, autocommit=True) as administrator:
        administrator.execute("ALTER ROLE rollbook_app NOLOGIN; CREATE ROLE plain LOGIN PASSWORD 'plain'")
    with pytest.raises(InvalidSettingsError, match="let an administrator run: ALTER ROLE rollbook_app LOGIN"):
        await with_application_login(owners_settings(make_conninfo(own_server, user="plain", password="plain")))


async def test_a_login_that_is_given_is_used_as_it_is(own_server: str) -> None:
    login = make_conninfo(own_server, user="rollbook_app", password="given")
    for settings in (owners_settings(own_server, app_database_url=login), owners_settings(login)):
        assert (await with_application_login(settings)).dsn() == settings.dsn()
        assert "password=given" in settings.dsn()


def test_a_part_forgets_the_login_of_the_owner(own_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**KEYS, "DATABASE_URL": own_server}.items():
        monkeypatch.setenv(name, value)
    for settings in (settings_of_a_part(), settings_of_a_part(signs=True)):
        assert who(settings.dsn()) == ("rollbook_app", "rollbook_app")
        with pytest.raises(InvalidSettingsError, match="DATABASE_URL: must be set"):
            settings.owner_dsn()
