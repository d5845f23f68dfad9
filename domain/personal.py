"""Personal values as events carry them: never in clear in the log (NIST SP 800-88 cryptographic erase)."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Personal:
    """A value about the person `subject`. `value` is None once that person is erased."""

    subject: UUID
    value: str | None

    def __repr__(self) -> str:
        """Never the value: representations end up in logs and error reports."""
        return f"Personal(subject={self.subject})"


def revealed(personal: Personal | None) -> str | None:
    """The value in clear; None when it was never given or the person is erased."""
    return None if personal is None else personal.value
