"""E-mail by SMTP (RFC 5321; rulings K13, K42, K43 and L66)."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException, send

from adapters.outbound.mailboxes import format_mailbox
from adapters.setting_values import SmtpServer
from domain.core.messages import DeliveryFailed, Mailbox, Message, MessageRefused

SECONDS = 10.0


class Mailer:
    """Sends each message over its own connection. Implements `domain.core.messages.MessageSender`."""

    def __init__(self, server: SmtpServer, sender: Mailbox) -> None:
        """`sender` is the default sender of messages."""
        self._server = server
        self._sender = sender

    async def send(self, message: Message) -> None:
        server = self._server
        sender = message.sender or self._sender
        try:
            await send(
                self._composed(message, sender),
                sender=sender.address,
                recipients=[message.to],
                hostname=server.host,
                port=server.port,
                username=server.username,
                password=None if server.password is None else server.password.get_secret_value(),
                use_tls=server.implicit_tls,
                start_tls=server.start_tls,
                validate_certs=not server.loopback,
                timeout=SECONDS,
            )
        except SMTPRecipientsRefused as refused:
            raise _failure(max(refusal.code for refusal in refused.recipients)) from None
        except SMTPResponseException as refused:
            raise _failure(refused.code) from None
        except (SMTPException, OSError) as error:
            raise DeliveryFailed(f"smtp-{type(error).__name__}") from None

    def _composed(self, message: Message, sender: Mailbox) -> EmailMessage:
        composed = EmailMessage(policy=SMTP)
        composed["From"] = format_mailbox(sender)
        composed["To"] = message.to
        if message.reply_to is not None:
            composed["Reply-To"] = format_mailbox(message.reply_to)
        composed["Subject"] = message.subject
        composed["Date"] = format_datetime(message.created_at)
        composed["Message-ID"] = f"<{message.id}@{self._sender.address.rpartition('@')[2]}>"
        composed["Auto-Submitted"] = "auto-generated"
        composed["X-Rollbook-Message"] = str(message.id)
        if message.text is not None:
            composed.set_content(message.text)
            if message.html is not None:
                composed.add_alternative(message.html, subtype="html")
        else:
            composed.set_content(message.html or "", subtype="html")
        return composed


def _failure(code: int) -> DeliveryFailed:
    """Return the error for the server's reply code; 5yz is permanent (RFC 5321, 4.2.1)."""
    reason = f"smtp-{code}"
    return MessageRefused(reason) if 500 <= code < 600 else DeliveryFailed(reason)
