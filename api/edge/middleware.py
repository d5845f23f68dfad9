"""The middleware of every request: its id, log line, metrics and headers, and the answer to an unexpected error."""

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
"""In the scope of a request that was refused before its body had arrived: the status of the refusal."""
ACCEPTABLE = re.compile(rb"[\x21-\x7e]{1,128}")

BLANKS = b" \t"
"""Optional white space (RFC 9110, section 5.6.3)."""
PUBLIC_PATHS = ("/.well-known/", "/docs/")
HSTS_SECONDS = 365 * 24 * 60 * 60

Header = tuple[bytes, bytes]

log = structlog.get_logger()


class Observed:
    """Pure ASGI middleware. The log contains the route, never the path or the query: they may contain personal values.

    Health, public keys and assets set their own cache headers. Every other answer must not be cached, and clients must
    not guess its content type (ruling O16). With an https `public_url`, clients must use https only (RFC 6797).
    """

    def __init__(self, app: ASGIApp, public_url: str | None = None) -> None:
        self._app = app
        self._common = common_headers(public_url)
        self._private = private_headers(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # the parser leaves blanks after a value; remove them for comparisons
        scope["headers"] = [(name, value.strip(BLANKS)) for name, value in scope["headers"]]
        request_id = _request_id(scope)
        scope[REQUEST_ID] = request_id
        client = scope.get("client")
        token = CLIENT_ADDRESS.set(counted_address(client[0]) if client else "unknown")
        status = 0
        started = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", request_id.encode())
                message["headers"] = [*message["headers"], own, *self._headers_for(scope["path"])]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            except ClientDisconnect:
                status = status or scope.get(CUT_OFF, 499)  # no client reads an answer
            except Exception as error:
                FAILURES.inc()
                if status:
                    raise
                await unhandled(error)(scope, receive, send_with_headers)
            finally:
                CLIENT_ADDRESS.reset(token)
                route = getattr(scope.get("route"), "path", "none")
                method = scope["method"] if route != "none" else "any"  # clients must not be able to invent labels
                report(method, route, status, time.perf_counter() - started)

    def _headers_for(self, path: str) -> list[Header]:
        return self._common if path == "/healthz" or path.startswith(PUBLIC_PATHS) else self._private


def _request_id(scope: Scope) -> str:
    """Return the request id that the client sent, or a new one if that is absent or not acceptable (ruling B7)."""
    sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return sent.decode() if ACCEPTABLE.fullmatch(sent) else str(uuid4())


def common_headers(public_url: str | None) -> list[Header]:
    """Return the headers of all answers."""
    encrypted = (public_url or "").lower().startswith("https://")
    return [(b"strict-transport-security", b"max-age=%d" % HSTS_SECONDS)] if encrypted else []


def private_headers(public_url: str | None) -> list[Header]:
    """Return the headers of all answers that are not public."""
    not_cached = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
    return not_cached + common_headers(public_url)


def report(method: str, route: str, status: int, seconds: float, **details: str) -> None:
    """Count and log an answered request."""
    REQUESTS.labels(method, route, status).observe(seconds)
    log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2), **details)
