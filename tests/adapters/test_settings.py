import base64
import stat
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from adapters.environment import load_settings
from adapters.security.key_files import with_keys
from adapters.setting_values import Argon2Parameters
from adapters.settings import InvalidSettingsError, Settings
from tests.support.logins import application_dsn


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ROLLBOOK_{name.upper()}", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


def test_everything_has_a_default_and_a_description() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.position_wait) == ("127.0.0.1", 8000, 2.0)
    assert settings.data == Path("var").absolute()
    assert settings.outbox == settings.data / "outbox"
    assert settings.argon2 == Argon2Parameters(time=2, memory=19456, lanes=1)
    assert (settings.login_failures, settings.login_failures_address, settings.metrics) == (10, 100, False)
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_outbox_follows_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROLLBOOK_DATA", str(tmp_path))
    assert load_settings().outbox == tmp_path / "outbox"


def test_service_accounts_split_at_commas_then_at_the_first_colon(monkeypatch: pytest.MonkeyPatch) -> None:
    colon, old, chat = "with:a-colon-and-long-enough", "an-older-one-and-long-enough", "of-the-chat-and-long-enough"
    monkeypatch.setenv("ROLLBOOK_SERVICE_ACCOUNTS", f"care/sync:{colon}, care/sync:{old},chat/bot:{chat}")
    accounts = load_settings().service_accounts
    assert [(one.namespace, one.name, one.token.get_secret_value()) for one in accounts] == [
        ("care", "sync", colon),
        ("care", "sync", old),
        ("chat", "bot", chat),
    ]


def test_services_split_at_commas_then_at_the_first_equals_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBOOK_SERVICES", "records=https://records.test/base/?,chat=http://chat.test:81")
    with pytest.raises(InvalidSettingsError):
        load_settings()
    monkeypatch.setenv("ROLLBOOK_SERVICES", "records=https://records.test/a=b/, chat=http://chat.test:81")
    assert load_settings().services == {"records": "https://records.test/a=b", "chat": "http://chat.test:81"}


@pytest.mark.parametrize(
    "value",
    ["records", "=https://records.test", "Records=https://records.test", "records=ftp://records.test", "records=",
     f"{'r' * 33}=https://records.test", "a=https://a.test,a=https://b.test", "a=https://a.test?b=c"],
)  # fmt: skip
def test_a_bad_service_refuses_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Ruling K15."""
    monkeypatch.setenv("ROLLBOOK_SERVICES", value)
    with pytest.raises(InvalidSettingsError) as refused:
        load_settings()
    assert "ROLLBOOK_SERVICES" in str(refused.value)


def test_argon2_is_read_as_time_memory_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBOOK_ARGON2", "1,64,1")
    assert load_settings().argon2 == Argon2Parameters(time=1, memory=64, lanes=1)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROLLBOOK_PORT", "secret-port"),
        ("ROLLBOOK_PORT", "65536"),
        ("ROLLBOOK_POSITION_WAIT", "-1"),
        ("ROLLBOOK_SERVICE_ACCOUNTS", "care/sync"),
        ("ROLLBOOK_SERVICE_ACCOUNTS", "sync:secret-token-of-the-application"),
        ("ROLLBOOK_SERVICE_ACCOUNTS", "care/sync:secret-token-of-the-app"),
        ("ROLLBOOK_SERVICE_ACCOUNTS", "care/sync:secret-token-of-one-account,chat/sync:secret-token-of-another"),
        ("ROLLBOOK_SERVICE_ACCOUNTS", "care/sync:secret-token-of-two-accounts,care/bot:secret-token-of-two-accounts"),
        ("ROLLBOOK_ARGON2", "1,2"),
        ("ROLLBOOK_ARGON2", "1,8,4"),
        ("ROLLBOOK_MASTER_KEY", "c2VjcmV0"),
        ("ROLLBOOK_MASTER_KEY", "secret!"),
        ("ROLLBOOK_SIGNING_KEY", "secret-pem"),
        ("ROLLBOOK_ADMIN_EMAIL", "secret-nobody"),
        ("ROLLBOOK_LOG_LEVEL", "secret-level"),
        ("DATABASE_URL", "mysql://me:secret@there"),
        ("REDIS_URL", "http://me:secret@there"),
    ],
)
def test_an_invalid_value_is_refused_by_name_and_never_quoted(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettingsError) as refused:
        load_settings()
    assert str(refused.value).startswith(f"{variable}: ")
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("around", ["{}\n", " {}", "\t{}\r\n"])
def test_blanks_and_line_ends_around_a_value_are_stripped(monkeypatch: pytest.MonkeyPatch, around: str) -> None:
    """As a secret that was mounted from a file with a line end has them."""
    key = base64.b64encode(bytes(32)).decode()
    given = {
        "ROLLBOOK_MASTER_KEY": key,
        "ROLLBOOK_PORT": "8123",
        "ROLLBOOK_ADMIN_PASSWORD": "quite-a-walrus-77",
        "ROLLBOOK_SERVICE_ACCOUNTS": "care/sync:a-token-of-more-than-24-characters",
        "ROLLBOOK_LOG_LEVEL": "error",
        "ROLLBOOK_ISSUER": "issuer",
        "DATABASE_URL": "postgresql://me@there/db",
        "REDIS_URL": "redis://there",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, around.format(value))
    settings = load_settings()
    assert (settings.port, settings.log_level, settings.issuer, settings.redis()) == (
        8123,
        "error",
        "issuer",
        "redis://there",
    )
    assert settings.master_key_bytes() == bytes(32)
    assert settings.admin_password
    assert settings.admin_password.get_secret_value() == "quite-a-walrus-77"
    assert settings.service_accounts[0].token.get_secret_value() == "a-token-of-more-than-24-characters"
    assert settings.plain_owner_dsn() == "postgresql://me@there/db"


def test_blanks_alone_are_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROLLBOOK_PORT", "ROLLBOOK_MASTER_KEY", "ROLLBOOK_HOST", "DATABASE_URL"):
        monkeypatch.setenv(name, " \n")
    settings = load_settings()
    assert (settings.port, settings.host, settings.master_key, settings.database_url) == (8000, "127.0.0.1", None, None)


def test_an_unknown_variable_is_warned_of_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBOOK_LOGLEVEL", "secret-value")
    monkeypatch.setenv("ROLLBOOK_LOG_LEVEL", "error")
    said: list[str] = []
    assert load_settings(said.append).log_level == "error"
    assert said == ["ROLLBOOK_LOGLEVEL is not a setting of Rollbook; it is ignored"]


def test_the_command_warns_once(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ROLLBOOK_DATABASE", "secret-value")
    load_settings()
    assert capfd.readouterr().err == "rollbook: ROLLBOOK_DATABASE is not a setting of Rollbook; it is ignored\n"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBOOK_ADMIN_PASSWORD", "hunter-2")
    monkeypatch.setenv("ROLLBOOK_SERVICE_ACCOUNTS", "care/sync:hunter-2-hunter-2-hunter-2")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter-2@there/db")
    assert "hunter-2" not in repr(load_settings())


def test_keys_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    first = with_keys(Settings(data=tmp_path), make=True)
    assert len(first.master_key_bytes()) == 32
    assert with_keys(Settings(data=tmp_path), make=False).master_key == first.master_key
    signing = (tmp_path / "signing.pem").read_bytes()
    assert with_keys(Settings(data=tmp_path), make=True).signing_key is None
    assert (tmp_path / "signing.pem").read_bytes() == signing
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {
        "master.key": 0o600,
        "signing.pem": 0o600,
    }


def test_a_key_that_is_given_is_not_written(tmp_path: Path) -> None:
    given = SecretStr(base64.b64encode(bytes(32)).decode())
    settings = with_keys(Settings(data=tmp_path, master_key=given), make=True)
    assert settings.master_key_bytes() == bytes(32)
    assert [path.name for path in tmp_path.iterdir()] == ["signing.pem"]


def test_a_part_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match="ROLLBOOK_MASTER_KEY"):
        with_keys(Settings(data=tmp_path), make=False)


def test_the_application_connects_in_its_restricted_role(database_url: str) -> None:
    with psycopg.connect(application_dsn(database_url)) as connection:
        assert connection.execute("SELECT current_user::text").fetchone() == ("rollbook_app",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine ()")


def test_queries_are_planned_alike_on_every_postgres(database_url: str) -> None:
    """By its defaults it would scan a table of 20,000 rows for a page of 20."""
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as owner:
        for setting in ("random_page_cost = 4", "jit = on"):
            owner.execute(f"ALTER DATABASE {name} SET {setting}".encode())
    with psycopg.connect(application_dsn(database_url)) as connection:
        assert connection.execute("SHOW random_page_cost").fetchone() == ("1.1",)
        assert connection.execute("SHOW jit").fetchone() == ("off",)
    by_the_operator = psycopg.conninfo.make_conninfo(database_url, options="-c random_page_cost=2")
    with psycopg.connect(application_dsn(by_the_operator)) as connection:
        assert connection.execute("SHOW random_page_cost").fetchone() == ("2",)


def test_other_connection_options_are_kept(database_url: str) -> None:
    with_timeout = psycopg.conninfo.make_conninfo(database_url, options="-c statement_timeout=4321")
    with psycopg.connect(application_dsn(with_timeout)) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("4321ms",)
