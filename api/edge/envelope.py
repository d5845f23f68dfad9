"""Answers: JSON:API documents of the contract's models, with the position of their snapshot (rulings B1, B2, B6)."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from domain.core.turns import BATCH

MEDIA_TYPE = "application/vnd.api+json"
MAX_AT_ONCE = 5_000
"""Items of a document that is written in one piece; 10,000 people take 17 ms."""


def rendered(value: Any) -> bytes:
    """Return the value as JSON. A plain value already has its ids and times in the contract's form."""
    if isinstance(value, BaseModel):
        return value.__pydantic_serializer__.to_json(value, by_alias=True)
    return orjson.dumps(value, default=_plain)


class LargeAnswer(Response):
    """An answer whose document has more than MAX_AT_ONCE items; it is written in turns (ruling O8)."""

    media_type = MEDIA_TYPE

    def __init__(self, document: BaseModel, status: int, headers: Mapping[str, str] | None) -> None:
        super().__init__(None, status, headers)
        self._document = document

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Write the document in pieces and send them: joining 100,000 people takes 0.3 s, freeing them 0.1 s."""
        pieces: list[bytes] = []
        await _write_in_turns(self._document, pieces)
        self.headers["content-length"] = str(sum(map(len, pieces)))
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def answer(document: Any, status: int = 200, *, position: int | None = None) -> Response:
    """Return an answer with a document: a model of `api.documents`, a plain value, or None for `null`.

    `position` sets the X-Position header only; the document has its own `meta.position`.
    """
    headers = None if position is None else {"X-Position": str(position)}
    if isinstance(document, BaseModel) and _is_large(document):
        return LargeAnswer(document, status, headers)
    return Response(rendered(document), status, headers, MEDIA_TYPE)


def _is_large(value: Any) -> bool:
    """Return whether a list of the document, or of the resource in it, has more than MAX_AT_ONCE items."""
    if isinstance(value, list):
        return len(value) > MAX_AT_ONCE
    return isinstance(value, BaseModel) and any(map(_is_large, vars(value).values()))


async def _write_in_turns(value: Any, pieces: list[bytes]) -> None:
    """Append the JSON of the value, its large lists last in each object, and empty these lists."""
    if isinstance(value, list):
        value.reverse()
        separator = b"["
        while value:
            batch = value[: -BATCH - 1 : -1]
            del value[-BATCH:]
            pieces += (separator, b",".join(map(rendered, batch)))
            separator = b","
            await asyncio.sleep(0)
        pieces.append(b"]")
        return
    large = [name for name, member in vars(value).items() if _is_large(member)]
    others: bytes = value.__pydantic_serializer__.to_json(value, by_alias=True, exclude=set(large))
    pieces.append(others[:-1])
    for name in large:
        key = type(value).model_fields[name].serialization_alias or name
        pieces.append((b"" if pieces[-1] == b"{" else b",") + orjson.dumps(key) + b":")
        await _write_in_turns(getattr(value, name), pieces)
    pieces.append(b"}")


def no_content(*, position: int | None = None) -> Response:
    """Return the answer 204, which every DELETE has."""
    return Response(None, 204, None if position is None else {"X-Position": str(position)})


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError
