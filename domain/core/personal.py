"""Personal values as events carry them: never in clear in the log (NIST SP 800-88: cryptographic erase)."""

from uuid import UUID

from domain.core.errors import InvalidState


class PersonErased(InvalidState):
    detail = "This person has been erased; nothing personal can be recorded any more."


class Personal:
    """A value about the person `subject`. `value` is None once that person is erased.

    Not a dataclass on purpose: a serialiser that knows nothing of encryption has to fail on it.
    """

    __slots__ = ("_value", "subject")

    def __init__(self, subject: UUID, value: str | None) -> None:
        self.subject = subject
        self._value = value

    @property
    def value(self) -> str | None:
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Personal) and (self.subject, self.value) == (other.subject, other.value)

    def __hash__(self) -> int:
        return hash((self.subject, self._value))

    def __repr__(self) -> str:
        """Never the value: representations end up in logs and error reports."""
        return f"Personal(subject={self.subject})"


def sealed(subject: UUID, value: str | None) -> Personal | None:
    """Return the value about the person, None for none."""
    return None if value is None else Personal(subject, value)


def revealed(personal: Personal | None) -> str | None:
    """The value in clear; None when it was never given or the person is erased."""
    return None if personal is None else personal.value
