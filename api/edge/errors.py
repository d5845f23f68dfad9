"""Answers to refused requests: the status of each kind of refusal, and the contract's errors document.

Endpoints raise refusals of the domain or let them pass. No other module in `api/` maps refusals to statuses.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import psycopg
import structlog
from fastapi import FastAPI
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api.edge.envelope import MEDIA_TYPE, rendered
from domain.core.errors import (
    Conflict,
    DomainError,
    Expired,
    Forbidden,
    Invalid,
    InvalidParameter,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)

log = structlog.get_logger()

MAX_VIOLATIONS = 100
"""Violations that the answer to one request lists (ruling O8)."""
AN_ERROR_CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")


class MissingAttribute(Invalid, code="missing-attribute"):
    """The attribute is required."""


class NotAcceptable(DomainError, code="not-acceptable"):
    """The answer is application/vnd.api+json, which the Accept header excludes."""


class UnsupportedMediaType(DomainError, code="unsupported-media-type"):
    """The body must be application/json or application/vnd.api+json."""


class PayloadTooLarge(DomainError, code="payload-too-large"):
    """The body is too large.

    The body exceeds `max_body`, the limit of the operation in bytes.
    """

    def __init__(self, max_body: int) -> None:
        super().__init__(f"The body is larger than {max_body // 1024} KiB.")


class EndsConnection(DomainError):
    """A refusal after which the service closes the connection."""


class MalformedRequest(EndsConnection, code="malformed-request"):
    """The request is not valid HTTP/1.1."""


class RequestTimeout(EndsConnection, code="request-timeout"):
    """The request did not arrive in time."""


class HeadTooLarge(EndsConnection, code="request-head-too-large"):
    """The head of a request may have at most 64 KiB and 100 headers."""


class TooManyConnections(Unavailable, EndsConnection):
    detail = "The service has too many connections; try again."


class MethodNotAllowed(DomainError, code="method-not-allowed"):
    """The path does not have this method; the Allow header lists its methods.

    `allowed` are the methods that it has.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__()
        self.allowed = sorted(allowed)


class ReadModelBehind(Unavailable, code="read-model-behind"):
    """The requested state is not readable yet; try again.

    A read model lags behind the required position. `recorded` is the position of a command that succeeded (A5).
    """

    def __init__(self, retry_after: int = 1, *, recorded: int | None = None) -> None:
        super().__init__(retry_after, meta={} if recorded is None else {"position": recorded})
        self.recorded = recorded


class Unhandled(DomainError, code="internal-error"):
    """The service failed to answer this request.

    An unexpected error. The log has its id and the reason; the answer has only the id.
    """


STATUS: Mapping[type[DomainError], int] = {
    Invalid: 400,
    EndsConnection: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    NotAcceptable: 406,
    RequestTimeout: 408,
    Conflict: 409,
    Expired: 410,
    PayloadTooLarge: 413,
    UnsupportedMediaType: 415,
    TooMany: 429,
    HeadTooLarge: 431,
    Unavailable: 503,
    Unhandled: 500,
}


def status_of(error: DomainError) -> int:
    """Return the HTTP status of a refusal: that of its nearest base class in STATUS."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def several(errors: Sequence[DomainError]) -> DomainError:
    """Return the first of several refusals of one request, with the others attached."""
    first, *others = errors
    first.others = tuple(others)
    return first


def refusal(error: DomainError) -> Response:
    """Return the answer to a refused request."""
    errors = [_error_object(refused) for refused in (error, *error.others)]
    return Response(rendered({"errors": errors}), status_of(error), _headers(error), MEDIA_TYPE)


def violations(error: ValidationError, where: str, prefix: Sequence[str | int] = ()) -> list[DomainError]:
    """Return one refusal for each violation that pydantic found.

    `where` is "query", "path" or "body". Only location, type and message are used: the input may be a secret.
    """
    refusals: list[DomainError] = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_VIOLATIONS]:
        location = [*prefix, *problem["loc"]]
        if where == "body":
            refusals.append(_body_violation(problem["type"], problem["msg"], location))
        else:
            refusals.append(InvalidParameter(problem["msg"], parameter=str(location[0]) if location else None))
    return refusals


def unhandled(error: Exception) -> Response:
    """Log an unexpected error. Return the answer 500 with the id of the log entry."""
    return refusal(Unhandled(meta={"id": log_unhandled(error)}))


def log_unhandled(error: Exception) -> str:
    """Log the kind of the error and its place, but not its text, which may quote values. Return the entry's id."""
    reference = str(uuid4())
    log.error("unhandled", reference=reference, kind=_name(error), at=_places(error))
    return reference


def refusal_of(error: DomainError | psycopg.OperationalError) -> Response:
    """Return the answer to a refusal, or to an unreachable database or exhausted pool."""
    if isinstance(error, DomainError):
        return refusal(error)
    log.warning("database-away", kind=_name(error))
    return refusal(Unavailable())


def install(app: FastAPI) -> None:
    """Let FastAPI answer refusals of plain routes in the same way. `api.edge.middleware` answers unexpected errors."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, (DomainError, psycopg.OperationalError))
        return refusal_of(error)

    app.add_exception_handler(DomainError, refused)
    app.add_exception_handler(psycopg.OperationalError, refused)


def _body_violation(kind: str, message: str, location: Sequence[str | int]) -> DomainError:
    pointer = json_pointer(location)
    if kind == "missing":
        return MissingAttribute(pointer=pointer)
    violation = Invalid(message, pointer=pointer)
    if AN_ERROR_CODE.fullmatch(kind):
        violation.code = kind  # type: ignore[misc]  # the type of a validator's error is the contract's code
    return violation


def json_pointer(location: Iterable[str | int]) -> str:
    """Return the location as a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)


def _error_object(error: DomainError) -> dict[str, Any]:
    source = {"parameter": error.parameter, "pointer": error.pointer}
    return {
        "code": error.code,
        "detail": str(error),
        "meta": error.meta,
        "source": {name: value for name, value in source.items() if value is not None},
        "status": status_of(error),
    }


def _headers(error: DomainError) -> dict[str, str]:
    headers = {}
    match error:
        case Unauthenticated():
            headers["WWW-Authenticate"] = "Bearer"
        case MethodNotAllowed(allowed=allowed):
            headers["Allow"] = ", ".join(allowed)
        case EndsConnection():
            headers["Connection"] = "close"
    seconds: int | None = getattr(error, "retry_after", None)
    if seconds is not None:
        headers["Retry-After"] = str(max(1, seconds))
    if isinstance(error, ReadModelBehind) and error.recorded is not None:
        headers["X-Position"] = str(error.recorded)
    return headers


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _places(error: BaseException) -> list[str]:
    """Return the places of the traceback, the innermost last, and those of a cause before those of its effect."""
    places = _places(error.__cause__) if error.__cause__ else []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return places[-30:]
