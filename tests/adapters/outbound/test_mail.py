"""E-mail over SMTP, to a real server on loopback."""

import socket
from typing import Any

import pytest

from adapters.outbound.mail import Mailer
from adapters.setting_values import SmtpServer, parse_smtp_server
from domain.core.messages import DeliveryFailed, Mailbox, MessageRefused
from tests.adapters.outbound.messages import EMAIL, an_email
from tests.support.message_servers import a_mail_server

MAIL_FROM = Mailbox("no-reply@rollbook.test", "Rollbook")


def a_mailer(url: str, **changes: Any) -> Mailer:
    server = parse_smtp_server(url)
    assert isinstance(server, SmtpServer)
    return Mailer(server._replace(**changes), MAIL_FROM)


async def test_an_email_arrives_with_both_forms_and_its_headers() -> None:
    async with a_mail_server() as server:
        await a_mailer(server.url).send(EMAIL)
        await a_mailer(server.url).send(EMAIL)
    mail, again = server.mails
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        "Rollbook <no-reply@rollbook.test>", "ann@people.test", EMAIL.subject,
    )  # fmt: skip
    assert mail["Message-ID"] == again["Message-ID"] == f"<{EMAIL.id}@rollbook.test>"
    assert mail["Date"] == "Wed, 04 Mar 2026 05:06:07 +0000"
    assert (mail["Auto-Submitted"], mail["X-Rollbook-Message"]) == ("auto-generated", str(EMAIL.id))
    assert (mail["Reply-To"], mail.get_content_type()) == (None, "multipart/alternative")
    text, html = (part.get_content() for part in mail.iter_parts())
    assert (text, html) == (EMAIL.text, EMAIL.html)
    assert server.envelopes[0].mail_from == "no-reply@rollbook.test"


async def test_a_theme_is_the_sender_and_a_template_gets_the_answers() -> None:
    message = an_email(sender=Mailbox("help@north.test", "Clínica, North"), reply_to=Mailbox("desk@north.test"))
    async with a_mail_server() as server:
        await a_mailer(server.url).send(message)
    (mail,) = server.mails
    assert (mail["From"], mail["Reply-To"]) == ('"Clínica, North" <help@north.test>', "desk@north.test")
    assert mail["Message-ID"] == f"<{message.id}@rollbook.test>"
    assert server.envelopes[0].mail_from == "help@north.test"


@pytest.mark.parametrize(("text", "html", "kind"), [(None, "<p>x</p>\n", "text/html"), ("x\n", None, "text/plain")])
async def test_a_form_that_is_not_there_is_not_sent(text: str | None, html: str | None, kind: str) -> None:
    async with a_mail_server() as server:
        await a_mailer(server.url).send(an_email(text=text, html=html))
    (mail,) = server.mails
    assert (mail.get_content_type(), mail.get_content()) == (kind, text or html)


async def test_the_credentials_of_the_url_are_used() -> None:
    async with a_mail_server() as server:
        await a_mailer(server.url.replace("//", "//me:p%40ss@")).send(EMAIL)
    assert server.logins == [b"p@ss"]


async def test_a_server_that_offers_encryption_gets_nothing_in_clear() -> None:
    async with a_mail_server(encrypted=True) as server:
        await a_mailer(server.url.replace("//", "//me:p%40ss@")).send(EMAIL)
    assert (server.logins, len(server.mails), server.encrypted) == ([b"p@ss"], 1, [True])


async def test_nothing_is_sent_in_clear_where_encryption_is_required() -> None:
    async with a_mail_server() as server:
        with pytest.raises(DeliveryFailed):
            await a_mailer(server.url, start_tls=True).send(EMAIL)
    assert (server.mails, server.logins) == ([], [])


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [("451 later", DeliveryFailed, "smtp-451"), ("554 never", MessageRefused, "smtp-554")],
)
async def test_the_answer_of_the_server_decides_about_a_retry(
    answer: str, error: type[DeliveryFailed], reason: str
) -> None:
    async with a_mail_server(answer) as server:
        with pytest.raises(DeliveryFailed) as raised:
            await a_mailer(server.url).send(EMAIL)
        assert (type(raised.value), raised.value.reason) == (error, reason)
        await a_mailer(server.url).send(EMAIL)
    assert len(server.mails) == 1


async def test_a_server_that_is_away_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        with pytest.raises(DeliveryFailed) as raised:
            await a_mailer(f"smtp://127.0.0.1:{taken.getsockname()[1]}").send(EMAIL)
    assert not isinstance(raised.value, MessageRefused)
    assert raised.value.reason == "smtp-SMTPConnectError"


async def test_an_address_cannot_bring_headers_in() -> None:
    async with a_mail_server() as server:
        with pytest.raises(ValueError, match="linefeed"):
            await a_mailer(server.url).send(an_email(to="ann@people.test\r\nBcc: eve@people.test"))
    assert server.envelopes == []
    assert server.mails == []
