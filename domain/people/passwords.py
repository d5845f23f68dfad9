"""The required strength of passwords (semantics 7, password-strength), and the port that hashes them."""

import unicodedata
from collections.abc import Sequence
from typing import Protocol

from domain.core.errors import Invalid
from domain.core.ports import Hasher

MIN_LENGTH = 8
MIN_SCORE = 2


class WeakPassword(Invalid, code="weak-password"):
    """The password is too easy to guess."""


class Passwords(Hasher, Protocol):
    """Hashes passwords and measures their strength."""

    def outdated(self, hashed: str) -> bool:
        """Return whether the hash has other cost parameters than the settings."""
        ...

    async def score(self, password: str, about: Sequence[str]) -> int:
        """Return the strength from 0 (guessed at once) to 4; `about` are words that an attacker knows of the user."""
        ...


def normal_password(password: str) -> str:
    """Return the password in NFKC, which is hashed and verified: keyboards compose characters differently (O5)."""
    return unicodedata.normalize("NFKC", password)


async def is_strong(passwords: Passwords, password: str, about: Sequence[str]) -> bool:
    """Return whether the password is strong enough; `about` are words that an attacker knows of the user."""
    return len(normal_password(password)) >= MIN_LENGTH and await passwords.score(password, about) >= MIN_SCORE
