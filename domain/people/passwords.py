"""Which passwords the service accepts (ruling K114), and the ports that hash, rate and look up passwords.

Every command that sets a password calls `PasswordPolicy.require`.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from domain.core.errors import Invalid
from domain.core.personal import revealed
from domain.core.ports import Hasher
from domain.people.users import User

MAX_LENGTH = 255
MIN_SCORE = 2
OWN_WORDS = ("rollbook",)
"""Words that an attacker tries for every user of this service."""


class PasswordTooLong(Invalid):
    """The password has more than 255 characters."""


class WeakPassword(Invalid, code="weak-password"):
    """The password is too easy to guess."""


class PwnedPassword(Invalid, code="pwned-password"):
    """The password is known from a data leak."""


class Rating(NamedTuple):
    """How hard a password is to guess: `score` from 0 (guessed at once) to 4, and how to choose a better one."""

    score: int
    suggestions: Sequence[str] = ()


class Passwords(Hasher, Protocol):
    """Hashes passwords and measures their strength."""

    def outdated(self, hashed: str) -> bool:
        """Return whether the hash has other cost parameters than the settings."""
        ...

    async def rate(self, password: str, about: Sequence[str]) -> Rating:
        """Return the rating of the password; `about` are words that an attacker knows of the user. Raises TooMany."""
        ...


class BreachedPasswords(Protocol):
    """Knows the passwords of published data leaks."""

    async def times_seen(self, password: str) -> int | None:
        """Return how often the password stands in known leaks; None when that cannot be found out now."""
        ...


def normal_password(password: str) -> str:
    """Return the password in NFKC, which is hashed and verified: keyboards compose characters differently (O5)."""
    return unicodedata.normalize("NFKC", password)


def words_about(user: User) -> list[str]:
    """Return the words that an attacker knows of the user: their login names and their names."""
    words = [*user.names.revealed, revealed(user.first_name), revealed(user.last_name)]
    return [word for word in words if word is not None]


@dataclass(frozen=True, eq=False)
class PasswordPolicy:
    """Decides which passwords may be set. `min_length` is the smallest number of characters."""

    passwords: Passwords
    breached: BreachedPasswords
    min_length: int

    async def require(self, password: str, about: Iterable[str], *, argument: str = "password") -> None:
        """Raise a refusal about `argument` unless the password is acceptable.

        `about` are words that an attacker knows of the user (see `words_about`). The refusals are PasswordTooLong,
        WeakPassword and PwnedPassword; TooMany when too many passwords are being rated. Call it after the check of the
        permission: rating takes up to 0.2 s of processor time, the look-up in leaks up to a second.
        """
        if len(password) > MAX_LENGTH:
            raise PasswordTooLong(argument=argument)
        if len(normal_password(password)) < self.min_length:
            raise WeakPassword(argument=argument)
        if (await self.rate(password, about)).score < MIN_SCORE:
            raise WeakPassword(argument=argument)
        if await self.breached.times_seen(password):
            raise PwnedPassword(argument=argument)

    async def rate(self, password: str, about: Iterable[str] = ()) -> Rating:
        """Return the rating that `require` uses. Raises TooMany."""
        return await self.passwords.rate(password, [*about, *OWN_WORDS])
