"""Referral codes, with which invited people claim their onboarding requests (rulings K30, K31 and K33)."""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from domain.core.codes import code_of
from domain.core.ports import Lookup

GROUPS, GROUP_LENGTH = 4, 4
CODE_BYTES = 10  # 80 bits


class ReferralCode(NamedTuple):
    """A code that counts, by the id of its message, and the request that it leads to."""

    message_id: UUID
    request_id: UUID
    organization_id: UUID
    claimed: bool


class ReferralCodes:
    """Derives the code of each invitation from its id, so that no code is stored in clear before it is sent."""

    def __init__(self, lookup: Lookup, seconds: int) -> None:
        """`seconds` is the lifetime of new codes."""
        self._lookup = lookup
        self.lifetime = timedelta(seconds=seconds)

    def code(self, message_id: UUID) -> str:
        """Return 16 characters in four groups, the same for every attempt to send the message."""
        number = int.from_bytes(self._lookup("referral-code", str(message_id))[:CODE_BYTES], "big")
        return code_of(number, GROUPS, GROUP_LENGTH)

    def receipt(self, name: str) -> str:
        """Return a text that is the same for the same name, and from which the name cannot be derived."""
        return self._lookup("invitation-receipt", name).hex()[:32]
