"""Idempotency-Key: a retry within a day is answered what the first call was answered (semantics 0.8, ruling A6).

Only POSTs of signed callers that change something and hand out no secret. The key is recorded in the append's own
transaction; the answer is added once there is one. A retry that finds a record without an answer (the process was
killed, or answered 503 after the commit) runs the endpoint again while the store appends nothing.
"""

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from uuid import UUID, uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response

from adapters.answer_book import DIGEST, AnswerBook, Entry
from api.envelope import MEDIA_TYPE
from domain.errors import Conflict, InvalidParameter
from domain.idempotency import IdempotentRequest, idempotent
from domain.ids import ids_from

HEADER = "Idempotency-Key"
ACCEPTABLE = re.compile(r"[\x21-\x7e]{1,255}")

Carry = Callable[[bool], Awaitable[Response]]
"""Carries the request out; told whether that was done before and only the answer is missing."""


class Sent(NamedTuple):
    """Who sent what under which key."""

    user_id: UUID
    key: str
    body: bytes


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


async def answered_once(book: AnswerBook, request: Request, sent: Sent, carry_out: Carry) -> Response:
    """The answer to this request, or to the first one like it. Raises KeyReused, StillRunning."""
    slot = book.slot(sent.user_id, sent.key)
    target = request.url.path if not request.url.query else f"{request.url.path}?{request.url.query}"
    fingerprint = book.fingerprint(request.method.encode(), target.encode(), sent.body)
    async with book.running(slot) as alone:
        if not alone:
            raise StillRunning
        known = await book.find(slot)
        if known is not None and known.fingerprint[:DIGEST] != fingerprint:
            raise KeyReused
        if known is not None and known.answer is not None:
            return _restored(known.answer)
        # the ids of what it makes: by chance the first time, and the same ones again in a retry
        seed = uuid4() if known is None else UUID(bytes=known.fingerprint[DIGEST:])
        recorded = IdempotentRequest(
            sent.user_id, slot.key, fingerprint + seed.bytes, None if known is None else known.position
        )
        with idempotent(recorded), ids_from(seed):
            response = await carry_out(known is not None)
        if 200 <= response.status_code < 300:
            position = int(response.headers.get("X-Position", "0"))
            await book.remember(slot, Entry(recorded.fingerprint, position, _kept(response)))
        return response


def _kept(response: Response) -> bytes:
    position = response.headers.get("X-Position")
    return orjson.dumps([response.status_code, position, bytes(response.body).decode()])


def _restored(kept: bytes) -> Response:
    status, position, body = orjson.loads(kept)
    headers = {} if position is None else {"X-Position": position}
    return Response(body or None, status, headers, MEDIA_TYPE if body else None)
