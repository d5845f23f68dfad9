"""The closed set of refusal kinds. Every refusal is a class of its own, beside the rule that raises it.

DomainError
├── Invalid           400  the words of the request are wrong
├── Unauthenticated   401  nobody is known to be calling
├── Forbidden         403  the caller may see it, not do this
├── NotFound          404  there is none, or the caller may not know
├── Conflict          409  not in this state
│   └── LostRace           somebody else was faster; decide again
├── Expired           410  its time has passed
├── TooMany           429  later
└── Unavailable       503  not now
    └── DecisionOutdated   a right of the caller ended meanwhile; look at the caller again
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID


class DomainError(Exception):
    """A refusal. The text never holds a secret or a personal value.

    `code` is the contract's error code; a class without one of its own has that of its kind.

    `argument` names the argument of the command that it is about, by its Python name ("organization_id", or
    "endpoints/3/path" for a part of it); the edge makes `parameter` or `pointer` of it, which say where in the request
    the reason stands. `meta` is the error's `meta`; `others` are further refusals of the same request, one for each
    violation.
    """

    code: ClassVar[str]
    detail: ClassVar[str]
    argument: str | None = None

    def __init_subclass__(cls, *, code: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if code is not None:
            cls.code = code

    def __init__(
        self,
        detail: str | None = None,
        *,
        argument: str | None = None,
        parameter: str | None = None,
        pointer: str | None = None,
        meta: Mapping[str, Any] | None = None,
        others: Sequence["DomainError"] = (),
    ) -> None:
        super().__init__(detail or self.detail)
        if argument is not None:
            self.argument = argument
        self.parameter = parameter
        self.pointer = pointer
        self.meta = dict(meta or {})
        self.others = tuple(others)


class Invalid(DomainError, code="invalid-attribute"):
    detail = "The value is not acceptable."


class Unauthenticated(DomainError, code="not-authenticated"):
    detail = "A valid access token is needed."


class TokenExpired(Unauthenticated, code="token-expired"):
    detail = "The access token has expired."


class SessionRevoked(Unauthenticated, code="session-revoked"):
    detail = "The session has ended."


class Forbidden(DomainError, code="forbidden"):
    detail = "You may not do this."


class NotFound(DomainError, code="not-found"):
    """Subclasses say neither code nor detail: nothing in the answer tells unknown from unreadable (ruling O10)."""

    detail = "There is no such thing, or you may not see it."


class Conflict(DomainError, code="conflict"):
    detail = "That does not fit the present state."


class Expired(DomainError, code="expired"):
    detail = "Its time has passed."


class TooMany(DomainError, code="too-many-requests"):
    """`retry_after` is the number of whole seconds to wait."""

    detail = "Too many requests; try again later."

    def __init__(self, retry_after: int = 1, **where: Any) -> None:
        super().__init__(**where)
        self.retry_after = retry_after


class Unavailable(DomainError, code="unavailable"):
    """`retry_after` is the number of whole seconds to wait."""

    detail = "The service cannot answer now; try again."

    def __init__(self, retry_after: int = 1, **where: Any) -> None:
        super().__init__(**where)
        self.retry_after = retry_after


class InvalidParameter(Invalid, code="invalid-parameter"):
    detail = "The parameter's value is not acceptable."


class InvalidState(Conflict, code="invalid-state"):
    detail = "Its state does not allow this."


class AlreadyExists(Conflict, code="already-exists"):
    detail = "There is one already."


class LostRace(Conflict):
    """Another command changed what the decision rests on; the command decides again, a bounded number of times.

    `streams` are those that the other command was faster on, as far as they are known.
    """

    detail = "Another request changed this at the same time; try again."

    def __init__(self, *, streams: Iterable[UUID] = ()) -> None:
        super().__init__()
        self.streams = frozenset(streams)


class DecisionOutdated(Unavailable):
    """A right that the command rests on may have ended since it was looked at; the edge looks at the caller again."""
