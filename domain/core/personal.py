"""Personal values in events. The log stores them encrypted, so that they can be erased (NIST SP 800-88)."""

from uuid import UUID

from domain.core.errors import InvalidState


class PersonErased(InvalidState):
    """The person has been erased; the service no longer records anything personal about them."""


class Personal:
    """A value about the person `subject`. `value` is None when that person has been erased.

    It is not a dataclass, so that a serialiser that does not encrypt fails on it.
    """

    __slots__ = ("_value", "subject")

    def __init__(self, subject: UUID, value: str | None) -> None:
        self.subject = subject
        self._value = value

    @property
    def value(self) -> str | None:
        """Return the value in clear; None when the person has been erased."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Personal) and (self.subject, self.value) == (other.subject, other.value)

    def __hash__(self) -> int:
        return hash((self.subject, self._value))

    def __repr__(self) -> str:
        """Return the subject without the value: representations end up in logs and error reports."""
        return f"Personal(subject={self.subject})"


def sealed(subject: UUID, value: str | None) -> Personal | None:
    """Return the value as a personal value of the person; None for None."""
    return None if value is None else Personal(subject, value)


def revealed(personal: Personal | None) -> str | None:
    """Return the value in clear; None when it was never given or the person has been erased."""
    return None if personal is None else personal.value
