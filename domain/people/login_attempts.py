"""The port that limits how often passwords and codes are tried (rulings H1, K10, O12 and O13)."""

from typing import Protocol


class Attempt(Protocol):
    """One attempt to log in. It counts as a failure until its outcome is reported."""

    async def succeed(self) -> None:
        """Report a complete login, which resets the failures of the name."""
        ...

    async def forgive(self) -> None:
        """Report a right password without a complete login: no failure, but earlier failures stay."""
        ...

    async def fail(self) -> None:
        """Report a wrong password, TOTP code or recovery code."""
        ...

    async def withdraw(self) -> None:
        """Report that no password was verified, so that the attempt does not count."""
        ...


class Attempts(Protocol):
    """Limits the attempts to log in for each typed name and for each network address."""

    async def begin(self, name: str, address: str) -> Attempt:
        """Count an attempt. Raises TooMany when there were too many lately."""
        ...

    async def unlock(self, name: str) -> None:
        """Clear the failures of a name from all addresses."""
        ...
