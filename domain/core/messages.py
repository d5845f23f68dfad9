"""Messages to people, and the port through which they are sent (rulings K34 to K43)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

Channel = Literal["email", "sms"]


class Mailbox(NamedTuple):
    """An e-mail address and the display name that goes with it."""

    address: str
    name: str | None = None


@dataclass(frozen=True, repr=False)
class Message:
    """A message to one person. Fields that do not apply to its channel or type are None.

    `to` is an e-mail address or a phone number in E.164. `sender` is None when the service writes in its own name. The
    text contains `code` and `link` too. `template` is the type of the message (ruling K38). Every attempt to send the
    message has the same `id`.
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
    """The attempt to send failed; a later attempt may succeed. `reason` contains nothing personal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MessageRefused(DeliveryFailed):
    """The message cannot be delivered; no later attempt will succeed."""


class MessageSender(Protocol):
    """Hands messages of one channel over to a delivery service."""

    async def send(self, message: Message) -> None:
        """Hand the message over. Sending a message twice is the same as once. Raises DeliveryFailed, MessageRefused."""
        ...


MessageSenders = Mapping[Channel, MessageSender]
