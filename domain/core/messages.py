"""Messages to people, and the port through which they leave (rulings K34 to K43)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

Channel = Literal["email", "sms"]


class Mailbox(NamedTuple):
    """An e-mail address, and the name that is shown before it."""

    address: str
    name: str | None = None


@dataclass(frozen=True, repr=False)
class Message:
    """A message as it is sent, whichever way it goes. What is None does not apply to its channel or type.

    `to` is an address or a number in E.164. `sender` is None where the service writes in its own name. `code` and
    `link` stand in the text as well; `template` is the message's type (ruling K38). Its `id` is the same in every
    attempt.
    """

    id: UUID
    channel: Channel
    to: str
    template: str
    locale: str
    subject: str | None
    text: str | None
    html: str | None
    code: str | None
    link: str | None
    user_id: UUID
    organization_id: UUID | None
    created_at: datetime
    sender: Mailbox | None = None
    reply_to: Mailbox | None = None


class DeliveryFailed(Exception):
    """The attempt failed, another may succeed. `reason` holds nothing personal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MessageRefused(DeliveryFailed):
    """No attempt will succeed."""


class MessageSender(Protocol):
    """Hands messages of one channel over to whoever delivers them."""

    async def send(self, message: Message) -> None:
        """Return when it has been handed over; twice is the same as once. Raises DeliveryFailed, MessageRefused."""
        ...


MessageSenders = Mapping[Channel, MessageSender]
