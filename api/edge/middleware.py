"""What surrounds every request: id, log line, figures, the headers of all answers, and the answer to an accident."""

import re
import time
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.metrics import FAILURES, REQUESTS
from adapters.security.client_address import CLIENT_ADDRESS, counted_address
from api.edge.errors import unhandled

REQUEST_ID = "rollbook.request_id"
CUT_OFF = "rollbook.cut_off"
"""In the scope of a request whose connection was closed before it came whole: the status that told the client so."""
ACCEPTABLE = re.compile(rb"[\x21-\x7e]{1,128}")

BLANKS = b" \t"
"""Optional white space (RFC 9110, section 5.6.3)."""
FOR_EVERYBODY = ("/.well-known/", "/docs/")
HSTS_SECONDS = 365 * 24 * 60 * 60

Header = tuple[bytes, bytes]

log = structlog.get_logger()


class Observed:
    """Pure ASGI. The log names the route, never the path or the query: they may hold personal values.

    Health, public keys and assets say themselves how long they may be kept; every other answer belongs in no cache and
    is not to be taken for another kind of content (ruling O16). With an https `public_url` clients are told to use
    nothing else (RFC 6797).
    """

    def __init__(self, app: ASGIApp, public_url: str | None = None) -> None:
        self._app = app
        self._always = standing_headers(public_url)
        self._private = private_headers(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # the parser leaves blanks behind a value; whatever compares values must not see them
        scope["headers"] = [(name, value.strip(BLANKS)) for name, value in scope["headers"]]
        request_id = _request_id(scope)
        scope[REQUEST_ID] = request_id
        client = scope.get("client")
        coming_from = CLIENT_ADDRESS.set(counted_address(client[0]) if client else "unknown")
        status = 0
        started = time.perf_counter()

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", request_id.encode())
                message["headers"] = [*message["headers"], own, *self._headers_for(scope["path"])]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, told)
            except ClientDisconnect:
                status = status or scope.get(CUT_OFF, 499)  # nobody is there to read an answer
            except Exception as error:
                FAILURES.inc()
                if status:
                    raise
                await unhandled(error)(scope, receive, told)
            finally:
                CLIENT_ADDRESS.reset(coming_from)
                route = getattr(scope.get("route"), "path", "none")
                method = scope["method"] if route != "none" else "any"  # clients must not be able to invent labels
                report(method, route, status, time.perf_counter() - started)

    def _headers_for(self, path: str) -> list[Header]:
        return self._always if path == "/healthz" or path.startswith(FOR_EVERYBODY) else self._private


def _request_id(scope: Scope) -> str:
    """What the client sent, or a new one when that is nothing to be echoed and logged (ruling B7)."""
    sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return sent.decode() if ACCEPTABLE.fullmatch(sent) else str(uuid4())


def standing_headers(public_url: str | None) -> list[Header]:
    """Return what every answer says, whatever it holds."""
    encrypted = (public_url or "").lower().startswith("https://")
    return [(b"strict-transport-security", b"max-age=%d" % HSTS_SECONDS)] if encrypted else []


def private_headers(public_url: str | None) -> list[Header]:
    """Return what every answer says that is not for everybody."""
    kept_nowhere = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
    return kept_nowhere + standing_headers(public_url)


def report(method: str, route: str, status: int, seconds: float, **circumstances: str) -> None:
    """Count and log a request that was answered."""
    REQUESTS.labels(method, route, status).observe(seconds)
    log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2), **circumstances)
