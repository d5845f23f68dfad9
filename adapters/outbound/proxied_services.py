"""The services that anonymous accesses reach: only those of the setting, under their own addresses (K15 and K135)."""

import asyncio
from collections.abc import Collection, Mapping
from functools import partial
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx2
import orjson
import structlog

from adapters.security.throttle import Counter, Limit, Throttle
from adapters.security.tokens import Tokens
from domain.core.audited import AUDIT_CONTEXT
from domain.sessions.anonymous_calls import ProxiedAnswer, ProxiedCall, Send
from domain.sessions.sessions import Session

UNREACHABLE, TOO_SLOW = 502, 504

log = structlog.get_logger()


class TooLarge(Exception):
    """The answer has more bytes than the setting allows."""


class HttpServices:
    """Implements `domain.sessions.anonymous_calls.ProxiedServices`.

    It uses the transport of the HTTP client directly: that follows no redirects, keeps no cookies and knows no proxy of
    the environment.
    """

    def __init__(self, addresses: Mapping[str, str], tokens: Tokens, *, seconds: float, max_bytes: int) -> None:
        """`seconds` is the whole time of a call, `max_bytes` the size of an answer."""
        self._addresses = addresses
        self._tokens = tokens
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._transport = httpx2.AsyncHTTPTransport(trust_env=False)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, traceback)

    @property
    def names(self) -> Collection[str]:
        return self._addresses.keys()

    def prepare(self, call: ProxiedCall) -> Send:
        address = self._addresses.get(call.service)
        if address is None:  # the setting has changed since the access was created
            return _unreachable
        target = address + call.path
        url = httpx2.URL(f"{target}?{call.query}" if call.query else target)
        body = None if call.json is None else orjson.dumps(call.json)
        plain = {"Accept": "application/json", "Accept-Encoding": "identity"}
        headers = plain if body is None else plain | {"Content-Type": "application/json"}
        request = httpx2.Request(call.method.upper(), url, headers=headers, content=body)
        return partial(self._send, call.service, request)

    async def _send(self, service: str, request: httpx2.Request, access_id: UUID, session: Session) -> ProxiedAnswer:
        token = self._tokens.access_token(session.user_id, session.id, None, session.expires_at)
        request.headers["Authorization"] = f"Bearer {token}"
        request.headers["X-Anonymous-Access"] = str(access_id)
        request.headers["X-Request-ID"] = AUDIT_CONTEXT.get().correlation or str(session.id)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._answer(request)
        except TimeoutError:
            return ProxiedAnswer(TOO_SLOW)
        except (httpx2.TransportError, TooLarge) as error:
            log.warning("proxied-call-failed", service=service, reason=type(error).__name__)
            return ProxiedAnswer(UNREACHABLE)

    async def _answer(self, request: httpx2.Request) -> ProxiedAnswer:
        response = await self._transport.handle_async_request(request)
        try:
            received = bytearray()
            async for piece in response.aiter_raw():
                received += piece
                if len(received) > self._max_bytes:
                    raise TooLarge
        finally:
            await response.aclose()
        return ProxiedAnswer(response.status_code, _object(bytes(received)))


class CountedCalls:
    """Counts calls by access. Implements `domain.sessions.anonymous_calls.ProxiedCallLimit`."""

    def __init__(self, throttle: Throttle, most: int) -> None:
        """`most` is the number of calls in a minute; 0 disables the limit."""
        self._throttle = throttle
        self._limit = Limit("proxied-calls", most, 60)

    async def take(self, access_key: UUID) -> None:
        await self._throttle.take(Counter(self._limit, str(access_key)))


async def _unreachable(_access_id: UUID, _session: Session) -> ProxiedAnswer:
    return ProxiedAnswer(UNREACHABLE)


def _object(received: bytes) -> bytes | None:
    """Return the object that was received, another JSON value as the member `value` of one, None without JSON.

    It is the text as it came: written again, large numbers would be rounded, and values nested in more than 254 others
    could not be written at all.
    """
    try:
        value = orjson.loads(received)
    except orjson.JSONDecodeError:
        return None
    return received if isinstance(value, dict) else b'{"value":%b}' % received
