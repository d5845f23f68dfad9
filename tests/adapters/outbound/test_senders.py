"""Which way messages leave (rulings K11 to K14 and K35)."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.environment import load_settings
from adapters.outbound.senders import message_senders
from adapters.setting_values import parse_smtp_server
from adapters.settings import InvalidSettingsError, Settings

OWN = SecretStr("postgresql://x/y")
LOCAL = {"smtp_url": "smtp://localhost:2525", "sms_url": "http://localhost/x"}


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({}, ("Outbox", "Outbox")),
        (LOCAL, ("Mailer", "TextSender")),
        ({"smtp_url": "smtp://localhost:2525"}, ("Mailer", "Outbox")),
    ],
)
def test_a_channel_with_a_server_uses_it_and_others_the_outbox(given: dict[str, Any], kinds: tuple[str, str]) -> None:
    senders = message_senders(Settings(**given))
    assert (type(senders["email"]).__name__, type(senders["sms"]).__name__) == kinds


def test_an_external_database_has_an_outbox_only_if_configured(tmp_path: Path) -> None:
    assert Settings(data=tmp_path).outbox == tmp_path / "outbox"
    assert Settings(database_url=OWN).outbox is None
    assert Settings(database_url=OWN, outbox=tmp_path).outbox == tmp_path


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.test", ("mail.test", 587, None, None, False, True)),
        ("smtp://mail.test:25/?tls=none", ("mail.test", 25, None, None, False, False)),
        ("smtp://127.0.0.1:2525", ("127.0.0.1", 2525, None, None, False, None)),
        ("smtps://mail.test", ("mail.test", 465, None, None, True, False)),
    ],
)
def test_encryption_is_required_unless_the_server_is_local_or_exempt(url: str, server: object) -> None:
    assert parse_smtp_server(url) == server


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROLLBOOK_SMTP_URL", "http://secret.test"),
        ("ROLLBOOK_SMTP_URL", "smtp://me:secret@"),
        ("ROLLBOOK_SMTP_URL", "smtp://me:secret@host:port"),
        ("ROLLBOOK_SMTP_URL", "smtp://secret.test?tls=maybe"),
        ("ROLLBOOK_SMS_URL", "ftp://secret.test"),
        ("ROLLBOOK_SMS_SECRET", "hidden"),
        ("ROLLBOOK_SMS_SECRET", "whsec_secret!"),
        ("ROLLBOOK_MAIL_FROM", "hidden"),
        ("ROLLBOOK_MAIL_FROM", "Secret <secret@>"),
        ("ROLLBOOK_LINK_URL", "hidden"),
    ],
)
def test_a_bad_setting_is_refused_without_its_value(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettingsError, match=variable) as raised:
        load_settings()
    assert value not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("::1", "http://[::1]:8000"),
        ("fd00::5", "http://[fd00::5]:8000"),
        ("0.0.0.0", "http://localhost:8000"),
        ("::", "http://localhost:8000"),
        ("id.test", "http://id.test:8000"),
    ],
)
def test_our_own_address_is_one_to_connect_to(host: str, base: str) -> None:
    """Ruling K11."""
    assert Settings(host=host).public_base == base


def test_links_use_link_url_else_public_url_else_this_host() -> None:
    assert Settings().link_base == "http://127.0.0.1:8000"
    assert Settings(public_url="https://api.test/").link_base == "https://api.test"
    assert (
        Settings(public_url="https://api.test", link_url="https://care.test/app/").link_base == "https://care.test/app"
    )
