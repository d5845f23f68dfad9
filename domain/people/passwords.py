"""What a password has to be worth (semantics 7, password-strength), and the port behind which it is hashed."""

import unicodedata
from collections.abc import Sequence
from typing import Protocol

from domain.core.errors import Invalid
from domain.core.ports import Hasher

LEAST_LENGTH = 8
LEAST_SCORE = 2


class WeakPassword(Invalid, code="weak-password"):
    detail = "The password is too easy to guess."


class Passwords(Hasher, Protocol):
    """Password hashing and what a password is worth."""

    def outdated(self, hashed: str) -> bool:
        """Whether the settings ask for a dearer (or cheaper) hash by now."""
        ...

    async def score(self, password: str, about: Sequence[str]) -> int:
        """0 (guessed at once) to 4; `about` are words that an attacker knows of the user."""
        ...


def normal_password(password: str) -> str:
    """The password as it is hashed and verified (NFKC): however a keyboard composes its characters (ruling O5)."""
    return unicodedata.normalize("NFKC", password)


async def is_strong(passwords: Passwords, password: str, about: Sequence[str]) -> bool:
    """Whether it may be somebody's password; `about` are words that an attacker knows of him."""
    return len(normal_password(password)) >= LEAST_LENGTH and await passwords.score(password, about) >= LEAST_SCORE
