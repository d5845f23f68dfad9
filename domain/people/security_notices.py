"""Notices of changes to an account, sent to the person's verified address (ruling K41, NIST SP 800-63B-4)."""

from typing import Literal
from uuid import UUID, uuid4

from domain.core.audited import Audited
from domain.core.personal import Personal, sealed
from domain.people.users import User

NoticeReason = Literal[
    "password-changed", "email-changed", "phone-changed", "totp-enabled", "totp-disabled", "recovery-code-used"
]


class SecurityNotice(Audited):
    """A notice to one address; a job sends it. Its id is the id of the message."""

    TOPIC = "security-notice"

    user_id: UUID
    reason: NoticeReason
    address: Personal | None

    class Created(Audited.Created):
        """The user is to be told of a change to their account, at this e-mail address."""

        TOPIC = "security-notice.issued"
        user_id: UUID
        reason: NoticeReason
        address: Personal | None

    @classmethod
    def create(cls, user_id: UUID, reason: NoticeReason, address: str) -> "SecurityNotice":
        """Return a new notice to the address."""
        return cls._create(cls.Created, id=uuid4(), user_id=user_id, reason=reason, address=sealed(user_id, address))


def notices_of(user: User, reason: NoticeReason, *, former_address: str | None = None) -> list[SecurityNotice]:
    """Return the notices of a change: to the verified address, and to the address that was verified until then.

    Save them in the append that records the change.
    """
    present = user.names.revealed[0] if user.email_verified else None
    addresses = dict.fromkeys(address for address in (present, former_address) if address is not None)
    return [SecurityNotice.create(user.id, reason, address) for address in addresses]
