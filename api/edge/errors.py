"""The one place where refusals become answers: kind → status, and the contract's errors document.

An endpoint raises what the domain raises, or lets it pass; nobody else in `api/` names a status of a refusal.
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

MOST_TOLD = 100
"""Violations of one request (ruling O8)."""
AN_ERROR_CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")


class MissingAttribute(Invalid, code="missing-attribute"):
    detail = "This attribute is required."


class NotAcceptable(DomainError, code="not-acceptable"):
    detail = "Answers are application/vnd.api+json, which the Accept header excludes."


class UnsupportedMediaType(DomainError, code="unsupported-media-type"):
    detail = "Send application/json or application/vnd.api+json."


class PayloadTooLarge(DomainError, code="payload-too-large"):
    """`max_body` is what the operation takes, in bytes."""

    detail = "The body is too large."

    def __init__(self, max_body: int) -> None:
        super().__init__(f"The body is larger than {max_body // 1024} KiB.")


class EndsConnection(DomainError):
    """What a connection is closed after."""


class MalformedRequest(EndsConnection, code="malformed-request"):
    detail = "This is no HTTP/1.1 request."


class RequestTimeout(EndsConnection, code="request-timeout"):
    detail = "The request did not come in time."


class HeadTooLarge(EndsConnection, code="request-head-too-large"):
    detail = "The head of a request has at most 64 KiB and 100 headers."


class TooManyConnections(Unavailable, EndsConnection):
    detail = "There are too many connections; try again."


class MethodNotAllowed(DomainError, code="method-not-allowed"):
    """`allowed` are the methods that this path has."""

    detail = "This path does not have that method; Allow lists those it has."

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__()
        self.allowed = sorted(allowed)


class ReadModelBehind(Unavailable, code="read-model-behind"):
    """The read models are not yet where the answer must be. `recorded` is set when a command was carried out (A5)."""

    detail = "What you ask for is not readable yet; try again."

    def __init__(self, retry_after: int = 1, *, recorded: int | None = None) -> None:
        super().__init__(retry_after, meta={} if recorded is None else {"position": recorded})
        self.recorded = recorded


class Unhandled(DomainError, code="internal-error"):
    """What nobody foresaw. The id stands in the log beside the reason; the reason itself never leaves."""

    detail = "Something went wrong on our side."


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
    """The HTTP status of a refusal, by the nearest of its classes that has one."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def several(errors: Sequence[DomainError]) -> DomainError:
    """Refusals of one request as one: the first, with the others along."""
    first, *others = errors
    first.others = tuple(others)
    return first


def refusal(error: DomainError) -> Response:
    """The answer to a refused request."""
    errors = [_error_object(each) for each in (error, *error.others)]
    return Response(rendered({"errors": errors}), status_of(error), _headers(error), MEDIA_TYPE)


def violations(error: ValidationError, where: str, prefix: Sequence[str | int] = ()) -> list[DomainError]:
    """One refusal per violation that pydantic found.

    `where` is "query", "path" or "body". Only location, type and message are looked at: the input may be a secret.
    """
    found: list[DomainError] = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False)[:MOST_TOLD]:
        location = [*prefix, *problem["loc"]]
        if where == "body":
            found.append(_body_violation(problem["type"], problem["msg"], location))
        else:
            found.append(InvalidParameter(problem["msg"], parameter=str(location[0]) if location else None))
    return found


def unhandled(error: Exception) -> Response:
    """500 with an id only, under which the log has the reason."""
    return refusal(Unhandled(meta={"id": log_unhandled(error)}))


def log_unhandled(error: Exception) -> str:
    """Log the kind of error and where it was raised, not its text: it may quote values. Return the entry's id."""
    reference = str(uuid4())
    log.error("unhandled", reference=reference, kind=_name(error), at=_places(error))
    return reference


def refusal_of(error: DomainError | psycopg.OperationalError) -> Response:
    """The answer to whatever was foreseen: refusals, and a database that is away (or whose pool is exhausted)."""
    if isinstance(error, DomainError):
        return refusal(error)
    log.warning("database-away", kind=_name(error))
    return refusal(Unavailable())


def install(app: FastAPI) -> None:
    """Have FastAPI answer refusals of plain routes likewise. What nobody foresaw: `api.edge.middleware`."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, (DomainError, psycopg.OperationalError))
        return refusal_of(error)

    app.add_exception_handler(DomainError, refused)
    app.add_exception_handler(psycopg.OperationalError, refused)


def _body_violation(kind: str, message: str, location: Sequence[str | int]) -> DomainError:
    pointer = json_pointer(location)
    if kind == "missing":
        return MissingAttribute(pointer=pointer)
    refused = Invalid(message, pointer=pointer)
    if AN_ERROR_CODE.fullmatch(kind):
        refused.code = kind  # type: ignore[misc]  # a validator names the contract's code as its type
    return refused


def json_pointer(location: Iterable[str | int]) -> str:
    """RFC 6901."""
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
    """Innermost last; causes before what they caused."""
    places = _places(error.__cause__) if error.__cause__ else []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return places[-30:]
