"""What surrounds every request: its id, the log line, the figures, and an answer when nobody foresaw what happened."""

import re
import time
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.client_address import CLIENT_ADDRESS, counted_address
from adapters.metrics import FAILURES, REQUESTS
from api.errors import unhandled

REQUEST_ID = "rollbook.request_id"
ACCEPTABLE = re.compile(rb"[\x21-\x7e]{1,128}")

log = structlog.get_logger()


class Observed:
    """Pure ASGI. The log names the route, never the path or the query: they may hold personal values."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
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
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, told)
            except ClientDisconnect:
                status = status or 499  # nobody is there to read an answer
            except Exception as error:
                FAILURES.inc()
                if status:
                    raise
                await unhandled(error)(scope, receive, told)
            finally:
                CLIENT_ADDRESS.reset(coming_from)
                _report(scope, status, time.perf_counter() - started)


def _request_id(scope: Scope) -> str:
    """What the client sent, or a new one when that is nothing to be echoed and logged (ruling B7)."""
    sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return sent.decode() if ACCEPTABLE.fullmatch(sent) else str(uuid4())


def _report(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if route != "none" else "any"  # clients must not be able to invent labels
    REQUESTS.labels(method, route, status).observe(seconds)
    log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2))
