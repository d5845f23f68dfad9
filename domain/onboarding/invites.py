"""The state of an invitation over one channel: whether its message arrived, and whether its code was used."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from domain.core.messages import Channel
from domain.core.personal import Personal, revealed

InviteStatus = Literal["created", "delivered", "failed", "responded", "sent"]
REACHED: tuple[InviteStatus, ...] = ("created", "sent", "delivered", "responded")
"""What a message goes through, in this order (ruling K100)."""


@dataclass(frozen=True)
class Invite:
    """An invitation over one channel. `id` is the id of its message, `code_hash` the hash of its referral code.

    `error` is our own reason for a failure. `report` is that of a delivery service, which tells that the message is
    `undelivered`. The code of a void invitation cannot be used any more, because the person has another address now.
    """

    id: UUID
    channel: Channel
    created_at: datetime
    code_hash: str
    expires_at: datetime
    status: InviteStatus = "created"
    error: str | None = None
    report: Personal | None = None
    undelivered: bool = False
    responded_at: datetime | None = None
    void: bool = False

    @property
    def waiting(self) -> bool:
        """Return whether the message was not handed over; the job may repeat one that failed for our own reasons."""
        return self.status == "created" or (self.status == "failed" and not self.undelivered)

    @property
    def reason(self) -> str | None:
        """Return why the message failed."""
        return self.error or revealed(self.report)

    def may_become(self, status: InviteStatus) -> bool:
        """Return whether a report of this status counts: no earlier one does, and none after a failure."""
        if self.status == "failed":
            return False
        if status == "failed":
            return self.status in {"created", "sent"}
        return REACHED.index(status) > REACHED.index(self.status)
