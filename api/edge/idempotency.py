"""Idempotency-Key: a retry within a day is answered from what the first call recorded (semantics 0.8, ruling A6).

Only POSTs of signed callers that change something and hand out no secret. The key is recorded with the result in the
append's own transaction; of what appends nothing, before it is answered. So a retry that finds a record renders that
result, also when the first call was never answered; what was never recorded is decided anew.
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
    """Who sent what under which key, and the status that answers it."""

    user_id: UUID
    key: str
    body: bytes
    status: int


class KeyReused(Conflict):
    detail = "This Idempotency-Key was used for another request."


class StillRunning(Conflict):
    detail = "The first request with this Idempotency-Key is still running; try again."
    retry_after = 1


def idempotency_key(request: Request) -> str | None:
    """The key that the client gave. Raises InvalidParameter."""
    key: str | None = request.headers.get(HEADER)
    if key is not None and not ACCEPTABLE.fullmatch(key):
        raise InvalidParameter("Input should be 1 to 255 visible ASCII characters.", parameter=HEADER)
    return key


async def answered_once(
    book: IdempotencyStore,
    request: Request,
    sent: Sent,
    recording: Recording,
    carry_out: Callable[[], Awaitable[Response]],
) -> Response:
    """Return the answer to this request, or to the first one like it. Raises KeyReused, StillRunning."""
    slot = book.slot(sent.user_id, sent.key)
    target = request.url.path if not request.url.query else f"{request.url.path}?{request.url.query}"
    fingerprint = book.fingerprint(request.method.encode(), target.encode(), sent.body)
    async with book.running(slot) as alone:
        if not alone:
            raise StillRunning
        known = await book.find(slot)
        if known is not None and known.fingerprint != fingerprint:
            raise KeyReused
        recording.request = IdempotentRequest(sent.user_id, slot.key, fingerprint, sent.status)
        if known is not None:
            recording.recall(known.status, known.resource_id, known.position)
        return await carry_out()
