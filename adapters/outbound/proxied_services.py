"""The services that anonymous accesses reach: only those of the setting, under their own addresses (K15 and K135)."""

import asyncio
import json
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx2
import orjson
import structlog

from adapters.security.throttle import Counter, Limit, Throttle
from adapters.security.tokens import Tokens
from domain.core.audited import AUDIT_CONTEXT
from domain.sessions.anonymous_calls import ProxiedAnswer, ProxiedCall
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

    async def send(self, call: ProxiedCall, access_id: UUID, session: Session) -> ProxiedAnswer:
        address = self._addresses.get(call.service)
        if address is None:  # the setting has changed since the access was created
            return ProxiedAnswer(UNREACHABLE)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._answer(self._request(address, call, access_id, session))
        except TimeoutError:
            return ProxiedAnswer(TOO_SLOW)
        except (httpx2.TransportError, TooLarge) as error:
            log.warning("proxied-call-failed", service=call.service, reason=type(error).__name__)
            return ProxiedAnswer(UNREACHABLE)

    def _request(self, address: str, call: ProxiedCall, access_id: UUID, session: Session) -> httpx2.Request:
        token = self._tokens.access_token(session.user_id, session.id, None, session.expires_at)
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {token}",
            "X-Anonymous-Access": str(access_id),
            "X-Request-ID": AUDIT_CONTEXT.get().correlation or str(session.id),
        }
        params = [(name, _text(item)) for name, value in call.params.items() for item in _items(value)]
        body = None if call.json is None else orjson.dumps(call.json)
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = httpx2.URL(address + call.path, params=params) if params else httpx2.URL(address + call.path)
        return httpx2.Request(call.method.upper(), url, headers=headers, content=body)

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
        return ProxiedAnswer(response.status_code, _json(bytes(received)))


class CountedCalls:
    """Counts calls by access. Implements `domain.sessions.anonymous_calls.ProxiedCallLimit`."""

    def __init__(self, throttle: Throttle, most: int) -> None:
        """`most` is the number of calls in a minute; 0 disables the limit."""
        self._throttle = throttle
        self._limit = Limit("proxied-calls", most, 60)

    async def take(self, access_key: UUID) -> None:
        await self._throttle.take(Counter(self._limit, str(access_key)))


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _json(received: bytes) -> Any:
    """Return the object that was received, another JSON value as the member `value` of one, None without JSON."""
    try:
        value = orjson.loads(received)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else {"value": value}
