"""E-mail by SMTP (RFC 5321; rulings K13, K42, K43 and L66)."""

import asyncio
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from aiosmtplib import SMTPException, SMTPNotSupported, SMTPRecipientsRefused, SMTPResponseException, send

from adapters.outbound.mailboxes import format_mailbox
from adapters.setting_values import SmtpServer
from domain.core.messages import DeliveryFailed, Mailbox, Message, MessageRefused
from domain.people.login_names import address_domain

SECONDS, REPLY_SECONDS = 30.0, 10.0
"""The longest time of a delivery, and of one reply of the server in it."""


class Mailer:
    """Sends each message over its own connection. Implements `domain.core.messages.MessageSender`."""

    def __init__(self, server: SmtpServer, sender: Mailbox, *, seconds: float = SECONDS) -> None:
        """`sender` is the default sender of messages. A delivery takes at most `seconds`."""
        self._server = server
        self._sender = sender
        self._seconds = seconds

    async def send(self, message: Message) -> None:
        try:
            sender, to = _in_ascii(message.sender or self._sender), _in_ascii(Mailbox(message.to))
            composed = self._composed(message, sender, to)
            composed.as_bytes()
        except Exception:  # noqa: BLE001 - the library raises many classes, and their texts quote the address
            raise MessageRefused("malformed") from None
        try:
            async with asyncio.timeout(self._seconds):
                await self._deliver(composed, sender.address, to.address)
        except SMTPRecipientsRefused as refused:
            raise _failure(max(refusal.code for refusal in refused.recipients)) from None
        except SMTPResponseException as refused:
            raise _failure(refused.code) from None
        except SMTPNotSupported as error:
            raise MessageRefused(f"smtp-{type(error).__name__}") from None
        except (SMTPException, OSError) as error:
            raise DeliveryFailed(f"smtp-{type(error).__name__}") from None

    async def _deliver(self, composed: EmailMessage, sender: str, to: str) -> None:
        server = self._server
        await send(
            composed,
            sender=sender,
            recipients=[to],
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=None if server.password is None else server.password.get_secret_value(),
            use_tls=server.implicit_tls,
            start_tls=server.start_tls,
            validate_certs=not server.loopback,
            timeout=REPLY_SECONDS,
        )

    def _composed(self, message: Message, sender: Mailbox, to: Mailbox) -> EmailMessage:
        composed = EmailMessage(policy=SMTP)
        composed["From"] = format_mailbox(sender)
        composed["To"] = to.address
        if message.reply_to is not None:
            composed["Reply-To"] = format_mailbox(_in_ascii(message.reply_to))
        composed["Subject"] = message.subject
        composed["Date"] = format_datetime(message.created_at)
        composed["Message-ID"] = f"<{message.id}@{_in_ascii(self._sender).address.rpartition('@')[2]}>"
        composed["Auto-Submitted"] = "auto-generated"
        composed["X-Rollbook-Message"] = str(message.id)
        if message.text is not None:
            composed.set_content(message.text)
            if message.html is not None:
                composed.add_alternative(message.html, subtype="html")
        else:
            composed.set_content(message.html or "", subtype="html")
        return composed


def _in_ascii(mailbox: Mailbox) -> Mailbox:
    """Return the mailbox with the domain of its address in A-labels, which every server takes."""
    local, at, domain = mailbox.address.rpartition("@")
    return mailbox._replace(address=local + at + address_domain(domain))


def _failure(code: int) -> DeliveryFailed:
    """Return the error for the server's reply code; 5yz is permanent (RFC 5321, 4.2.1)."""
    reason = f"smtp-{code}"
    return MessageRefused(reason) if 500 <= code < 600 else DeliveryFailed(reason)
