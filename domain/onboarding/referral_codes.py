"""Referral codes, with which invited people claim their onboarding requests (rulings K30, K31 and K33)."""

import hashlib
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from domain.core.ports import Lookup

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no letter looks like a digit or another letter."""
CODE_BYTES = 10
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})


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
        text = "".join(ALPHABET[number >> shift & 31] for shift in range(CODE_BYTES * 8 - 5, -1, -5))
        return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def hash_of_code(code: str) -> str:
    """Return the hash of a code as it was typed; blanks, hyphens and case are ignored."""
    return hashlib.sha256(code.upper().translate(_READ_AS).encode()).hexdigest()
