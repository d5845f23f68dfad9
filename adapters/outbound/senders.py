"""Chooses the sender of each channel by the settings: a server if one is set, otherwise the outbox (ruling K35)."""

from adapters.outbound.mail import Mailer
from adapters.outbound.mailboxes import format_mailbox
from adapters.outbound.outbox import Outbox
from adapters.outbound.sms import TextSender
from adapters.settings import Settings
from domain.core.messages import MessageSender, MessageSenders


def message_senders(settings: Settings) -> MessageSenders:
    """Return the sender of each channel."""
    email: MessageSender = Outbox(settings.outbox, format_mailbox(settings.mail_from))
    sms: MessageSender = Outbox(settings.outbox, settings.sms_from)
    if settings.smtp_url is not None:
        email = Mailer(settings.smtp_url, settings.mail_from)
    if settings.sms_url is not None:
        sms = TextSender(settings.sms_url.get_secret_value(), settings.sms_secret, settings.sms_from)
    return {"email": email, "sms": sms}
