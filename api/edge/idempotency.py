"""Idempotency-Key: a retry within a day is answered from the result of the first request (semantics 0.8, ruling A6).

The header applies to POST commands of authenticated callers that issue no secret. The append's transaction stores the
key with the result; a command that appends nothing stores it before its answer. A retry renders the stored result, even
if the first request was never answered. Without a stored result the command runs again.
"""

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from adapters.log.idempotency_store import IdempotencyStore
from domain.core.errors import Conflict, InvalidParameter
from domain.core.idempotency import IdempotentRequest, Recording

HEADER = "Idempotency-Key"
ACCEPTABLE = re.compile(r"[\x21-\x7e]{1,255}")


class Sent(NamedTuple):
    """A request with an Idempotency-Key, and the status of its answer."""

    user_id: UUID
    key: str
    body: bytes
    status: int


class KeyReused(Conflict):
    """The Idempotency-Key was used for another request."""


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is still running; try again."""

    retry_after = 1


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key of the request, if any. Raises InvalidParameter."""
    key: str | None = request.headers.get(HEADER)
    if key is not None and not ACCEPTABLE.fullmatch(key):
        raise InvalidParameter("Input should be 1 to 255 visible ASCII characters.", parameter=HEADER)
    return key


async def answered_once(
    store: IdempotencyStore,
    request: Request,
    sent: Sent,
    recording: Recording,
    carry_out: Callable[[], Awaitable[Response]],
) -> Response:
    """Return the answer to this request, or to the first one with its key. Raises KeyReused, StillRunning."""
    slot = store.slot(sent.user_id, sent.key)
    target = request.url.path if not request.url.query else f"{request.url.path}?{request.url.query}"
    fingerprint = store.fingerprint(request.method.encode(), target.encode(), sent.body)
    async with store.running(slot) as is_only_one:
        if not is_only_one:
            raise StillRunning
        known = await store.find(slot)
        if known is not None and known.fingerprint != fingerprint:
            raise KeyReused
        recording.request = IdempotentRequest(sent.user_id, slot.key, fingerprint, sent.status)
        if known is not None:
            recording.recall(known.status, known.resource_id, known.position)
        return await carry_out()
