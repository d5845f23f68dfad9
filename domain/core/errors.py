"""The kinds of refusals, a closed set. Each refusal has a class of its own, beside the rule that raises it.

DomainError
├── Invalid           400  a value of the request is not acceptable
├── Unauthenticated   401  the request does not prove who its caller is
├── Forbidden         403  the caller may see the resource, but may not do this
├── NotFound          404  the resource does not exist, or the caller may not see it
├── Conflict          409  the present state does not allow the request
│   └── LostRace           another command changed the same streams first; retry
├── Expired           410  the resource has expired
├── TooMany           429  the caller has to wait before the next request
└── Unavailable       503  the service cannot answer now
    └── DecisionOutdated   a right of the caller may have ended meanwhile; authenticate the caller again
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID


class DomainError(Exception):
    """A refusal. Its text never contains a secret or a personal value.

    `code` is the contract's error code; a class without a code of its own inherits the code of its kind. `detail` is
    the text for the client: the first line of the docstring, unless the class has a text of its own.

    `argument` is the Python name of the command's argument that the refusal is about ("organization_id", or
    "endpoints/3/path" for a part of an argument). The edge derives `parameter` or `pointer` from it, which locate the
    cause in the request. `meta` is the `meta` of the error document. `others` are further refusals of the same request,
    one for each violation.
    """

    code: ClassVar[str]
    detail: ClassVar[str]
    argument: str | None = None

    def __init_subclass__(cls, *, code: str | None = None, argument: str | None = None) -> None:
        super().__init_subclass__()
        if code is not None:
            cls.code = code
        if argument is not None:
            cls.argument = argument
        if cls.__doc__ is not None and "detail" not in vars(cls):
            cls.detail = cls.__doc__.partition("\n")[0]

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
    """The value is not acceptable."""


class Unauthenticated(DomainError, code="not-authenticated"):
    """A valid access token is needed."""


class TokenExpired(Unauthenticated, code="token-expired"):
    """The access token has expired."""


class SessionRevoked(Unauthenticated, code="session-revoked"):
    """The session has ended."""


class Forbidden(DomainError, code="forbidden"):
    """You may not do this."""


class NotFound(DomainError, code="not-found"):
    """The resource does not exist, or you may not see it.

    Subclasses have this text too, so that the answer does not tell which of the two it is (ruling O10).
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.detail = NotFound.detail


class Conflict(DomainError, code="conflict"):
    """The present state does not allow this request."""


class Expired(DomainError, code="expired"):
    """It has expired."""


class TooMany(DomainError, code="too-many-requests"):
    """You have sent too many requests; try again later.

    `retry_after` is the number of whole seconds to wait.
    """

    def __init__(self, retry_after: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.retry_after = retry_after


class Unavailable(DomainError, code="unavailable"):
    """The service cannot answer now; try again.

    `retry_after` is the number of whole seconds to wait.
    """

    def __init__(self, retry_after: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.retry_after = retry_after


class InvalidParameter(Invalid, code="invalid-parameter"):
    """The value of the parameter is not acceptable."""


class InvalidState(Conflict, code="invalid-state"):
    """The state of the resource does not allow this."""


class AlreadyExists(Conflict, code="already-exists"):
    """The resource exists already."""


class LostRace(Conflict):
    """Another request changed the resource at the same time; try again.

    Another command changed what this command's decision rests on; `retry_on_conflict` runs the command again.

    `streams` are the streams that the other command changed, as far as they are known.
    """

    def __init__(self, *, streams: Iterable[UUID] = ()) -> None:
        super().__init__()
        self.streams = frozenset(streams)


class DecisionOutdated(Unavailable):
    """The service cannot answer now; try again.

    A right that the command rests on may have ended since its check; the edge authenticates the caller again.
    """
