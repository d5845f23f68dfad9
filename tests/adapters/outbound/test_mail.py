"""E-mail over SMTP, to a real server on loopback (rulings K13, K42, K43 and L66)."""

import socket
from typing import Any

import pytest

from adapters.outbound.mail import Mailer
from adapters.setting_values import SmtpServer, parse_smtp_server
from domain.core.messages import DeliveryFailed, Mailbox, MessageRefused
from tests.adapters.outbound.messages import EMAIL, an_email
from tests.support.message_servers import a_mail_server

MAIL_FROM = Mailbox("no-reply@rollbook.test", "Rollbook")


def a_server(url: str) -> SmtpServer:
    server = parse_smtp_server(url)
    assert isinstance(server, SmtpServer)
    return server


def a_mailer(url: str, **changes: Any) -> Mailer:
    return Mailer(a_server(url)._replace(**changes), MAIL_FROM)


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


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "ann@people.test\r\nBcc: eve@people.test"},
        {"subject": "Join\r\nBcc: eve@people.test"},
        {"subject": "Join\u2028us"},
        {"subject": "Join\x0bus"},
        {"reply_to": Mailbox("ann@people.test\u0085Bcc: eve@people.test")},
        {"text": "A code\ud800"},
    ],
    ids=ascii,
)
async def test_a_message_that_cannot_be_composed_is_refused_at_once(changes: dict[str, Any]) -> None:
    """Rulings K42 and K43: a later attempt would fail in the same way. The refusal does not quote the address."""
    async with a_mail_server() as server:
        with pytest.raises(MessageRefused) as raised:
            await a_mailer(server.url).send(an_email(**changes))
    assert raised.value.reason == "malformed"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert server.envelopes == []


@pytest.mark.parametrize("domain", ["b\u00fccher.test", "B\u00dcCHER.test", "xn--bcher-kva.test"], ids=ascii)
async def test_the_domain_of_an_address_is_sent_in_ascii(domain: str) -> None:
    """Ruling K42."""
    message = an_email(
        to=f"Ann@{domain}", sender=Mailbox(f"help@{domain}", "North"), reply_to=Mailbox(f"desk@{domain}")
    )
    async with a_mail_server() as server:
        await a_mailer(server.url).send(message)
    ((mail,), (envelope,)) = server.mails, server.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("help@xn--bcher-kva.test", ["Ann@xn--bcher-kva.test"])
    assert (mail["To"], mail["From"]) == ("Ann@xn--bcher-kva.test", "North <help@xn--bcher-kva.test>")
    assert mail["Reply-To"] == "desk@xn--bcher-kva.test"


@pytest.mark.parametrize("understood", [True, False])
async def test_an_address_that_is_not_ascii_needs_a_server_that_takes_it(*, understood: bool) -> None:
    """Ruling K42: a server without SMTPUTF8 never takes the address."""
    address = "\u00e4nn@people.test"
    async with a_mail_server(smtputf8=understood) as server:
        if understood:
            await a_mailer(server.url).send(an_email(to=address))
        else:
            with pytest.raises(MessageRefused, match=r"^smtp-SMTPNotSupported$"):
                await a_mailer(server.url).send(an_email(to=address))
    assert [envelope.rcpt_tos for envelope in server.envelopes] == ([[address]] if understood else [])


async def test_a_delivery_as_a_whole_has_a_time_limit() -> None:
    async with a_mail_server() as server:
        server.answering.clear()
        with pytest.raises(DeliveryFailed) as raised:
            await Mailer(a_server(server.url), MAIL_FROM, seconds=0.2).send(EMAIL)
        server.answering.set()
    assert (type(raised.value), raised.value.reason) == (DeliveryFailed, "smtp-TimeoutError")
