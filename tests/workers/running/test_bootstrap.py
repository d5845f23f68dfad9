"""The first start and every later one."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from adapters.security.key_files import with_keys
from adapters.security.passwords import PasswordPool
from adapters.setting_values import Argon2Parameters
from adapters.settings import InvalidSettingsError, Settings
from domain.organizations.organizations import OPERATOR_ID
from domain.sessions.service_accounts import ServiceName
from tests.support.logins import application_login
from tests.support.range_services import a_range_service
from workers.running.bootstrap import FirstAdministrator, bootstrap

GOOD = "quite-a-walrus-77"


def settings(database_url: str, folder: Path, **given: Any) -> Settings:
    values: dict[str, Any] = {
        "database_url": SecretStr(database_url),
        "app_database_url": SecretStr(application_login(database_url)),
        "data": folder,
        "argon2": Argon2Parameters(1, 64, 1),
        **given,
    }
    return with_keys(Settings(**values), make=True)


def rows(database_url: str, query: str) -> list[Any]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(query.encode()).fetchall()


async def test_the_first_start_makes_the_operator_and_its_administrator(database_url: str, tmp_path: Path) -> None:
    made = await bootstrap(settings(database_url, tmp_path, admin_email="Ann@rollbook.test"))
    assert made is not None
    assert made.email == "Ann@rollbook.test"
    assert made.password_file == tmp_path / "admin-password"
    assert stat.S_IMODE(made.password_file.stat().st_mode) == 0o600
    assert len(made.password_file.read_text()) >= 16
    assert rows(database_url, "SELECT live, unlimited, staff, system_role FROM access_users") == [(True,) * 4]
    assert rows(database_url, "SELECT organization_id, provider, admin FROM organization_users") == [
        (OPERATOR_ID, True, True)
    ]
    assert rows(database_url, "SELECT count(*) FROM access_groups WHERE system") == [(2,)]


async def test_a_given_password_is_not_written(database_url: str, tmp_path: Path) -> None:
    made = await bootstrap(settings(database_url, tmp_path, admin_password=SecretStr(GOOD)))
    assert not (tmp_path / "admin-password").exists()
    assert made == FirstAdministrator("admin@rollbook.local", None)


async def test_a_second_start_changes_nothing(database_url: str, tmp_path: Path) -> None:
    await bootstrap(settings(database_url, tmp_path))
    before = rows(database_url, "SELECT count(*) FROM events")
    assert await bootstrap(settings(database_url, tmp_path)) is None
    assert rows(database_url, "SELECT count(*) FROM events") == before


class Warnings:
    """What is logged, whatever other tests configured."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, str]]] = []

    def warning(self, event: str, **about: str) -> None:
        self.said.append((event, about))


async def test_a_later_password_is_ignored_with_a_warning(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Warnings()
    monkeypatch.setattr("workers.running.bootstrap._log", log)
    await bootstrap(settings(database_url, tmp_path, admin_password=SecretStr(GOOD)))
    await bootstrap(settings(database_url, tmp_path, admin_password=SecretStr(GOOD)))
    assert log.said == []
    await bootstrap(settings(database_url, tmp_path, admin_password=SecretStr("another-walrus-78")))
    assert [event for event, _ in log.said] == ["admin-password-ignored"]
    assert "walrus" not in str(log.said)


@pytest.mark.parametrize("weak", ["short", "password1", "admin@rollbook.local"])
async def test_a_weak_password_stops_the_first_start(database_url: str, tmp_path: Path, weak: str) -> None:
    with pytest.raises(InvalidSettingsError, match="ROLLBOOK_ADMIN_PASSWORD") as refusal:
        await bootstrap(settings(database_url, tmp_path, admin_password=SecretStr(weak)))
    assert f"{weak} " not in str(refusal.value)
    assert rows(database_url, "SELECT count(*) FROM access_organizations") == [(0,)]


async def test_a_leaked_password_stops_the_first_start(database_url: str, tmp_path: Path) -> None:
    with a_range_service(GOOD) as service:
        with pytest.raises(InvalidSettingsError, match="data leak"):
            await bootstrap(
                settings(database_url, tmp_path, admin_password=SecretStr(GOOD), pwned_url=SecretStr(service.url))
            )
        assert rows(database_url, "SELECT count(*) FROM access_organizations") == [(0,)]


async def test_the_length_of_the_first_password_is_a_setting(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match="at least 18 characters"):
        await bootstrap(settings(database_url, tmp_path, admin_password=SecretStr(GOOD), password_length=18))


async def test_starts_at_the_same_time_make_one_administrator(database_url: str, tmp_path: Path) -> None:
    ready = settings(database_url, tmp_path)
    made = await asyncio.gather(*(bootstrap(ready) for _ in range(4)))
    assert len([each for each in made if each is not None]) == 1
    assert rows(database_url, "SELECT count(*) FROM access_users") == [(1,)]


def accounts(*names: str) -> str:
    """A setting with one more token for each time that a name is given."""
    return ",".join(f"care/{name}:token-{number}-of-the-application" for number, name in enumerate(names))


async def test_service_accounts_follow_the_setting(database_url: str, tmp_path: Path) -> None:
    def live() -> dict[str, bool]:
        found = rows(database_url, "SELECT service_name, live FROM access_users WHERE service_name IS NOT NULL")
        return dict(found)

    await bootstrap(settings(database_url, tmp_path, service_accounts=accounts("oracle", "drow", "drow")))
    assert live() == {"oracle": True, "drow": True}
    await bootstrap(settings(database_url, tmp_path, service_accounts=accounts("drow", "sked")))
    assert live() == {"oracle": False, "drow": True, "sked": True}
    await bootstrap(settings(database_url, tmp_path, service_accounts=accounts("oracle")))
    assert live() == {"oracle": True, "drow": False, "sked": False}
    ids = rows(database_url, "SELECT user_id FROM access_users WHERE service_name = 'oracle'")
    assert ids == [(ServiceName("care", "oracle").user_id,)]


async def test_nothing_personal_stands_in_the_log_in_clear(database_url: str, tmp_path: Path) -> None:
    made = await bootstrap(settings(database_url, tmp_path, admin_email="ann@rollbook.test"))
    assert made is not None
    with psycopg.connect(database_url) as connection:
        states = b"".join(bytes(state) for (state,) in connection.execute("SELECT state FROM events").fetchall())
    assert b"ann@" not in states
    assert b"argon2" not in states
    assert (tmp_path / "admin-password").read_bytes() not in states


async def test_the_password_opens_the_account(database_url: str, tmp_path: Path) -> None:
    ready = settings(database_url, tmp_path)
    made = await bootstrap(ready)
    assert made is not None
    with PasswordPool(ready.argon2, 1) as passwords:
        assert (await passwords.rate((tmp_path / "admin-password").read_text(), [made.email])).score == 4


async def test_the_password_of_a_start_that_was_killed_is_replaced(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "admin-password").write_text("of another database")
    ready = settings(database_url, tmp_path)
    assert await bootstrap(ready) is not None
    made = (tmp_path / "admin-password").read_text()
    assert made != "of another database"
    assert await bootstrap(ready) is None
    assert (tmp_path / "admin-password").read_text() == made
