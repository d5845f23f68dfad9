"""Answers: JSON:API documents from the contract's models, with the position they are from (rulings B1, B2, B6)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from domain.core.turns import in_turns

MEDIA_TYPE = "application/vnd.api+json"
MAX_AT_ONCE = 5_000
"""Items of a document that are written at once: 10,000 people take 17 ms."""


def rendered(value: Any) -> bytes:
    """JSON. Ids and times of a plain value are written as the contract wants them by whoever built it."""
    if isinstance(value, BaseModel):
        return value.__pydantic_serializer__.to_json(value, by_alias=True)
    return orjson.dumps(value, default=_plain)


class LargeAnswer(Response):
    """An answer whose document has more than MAX_AT_ONCE items: written while other requests take turns (ruling O8)."""

    media_type = MEDIA_TYPE

    def __init__(self, document: BaseModel, status: int, headers: Mapping[str, str] | None) -> None:
        super().__init__(None, status, headers)
        self._document = document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write the document, then send it."""
        self.body = await _written_in_turns(self._document)
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def answer(document: Any, status: int = 200, *, position: int | None = None) -> Response:
    """An answer with a document: a model of `api.documents`, a plain value, or None for `null`.

    `position` becomes the X-Position header only; `meta.position` is the document's own.
    """
    headers = None if position is None else {"X-Position": str(position)}
    if isinstance(document, BaseModel) and _is_large(document):
        return LargeAnswer(document, status, headers)
    return Response(rendered(document), status, headers, MEDIA_TYPE)


def _is_large(value: Any) -> bool:
    """Return whether a list of the document, or of the resource in it, has more than MAX_AT_ONCE items."""
    if isinstance(value, list | tuple):
        return len(value) > MAX_AT_ONCE
    return isinstance(value, BaseModel) and any(map(_is_large, vars(value).values()))


async def _written_in_turns(value: Any) -> bytes:
    """Return what `rendered` makes of the value, but for the order of members."""
    if isinstance(value, list | tuple):
        return b"[" + b",".join(await in_turns(rendered, value)) + b"]"
    large = [name for name, member in vars(value).items() if _is_large(member)]
    others: bytes = value.__pydantic_serializer__.to_json(value, by_alias=True, exclude=set(large))
    members = [] if others == b"{}" else [others[1:-1]]
    for name in large:
        key = type(value).model_fields[name].serialization_alias or name
        members.append(orjson.dumps(key) + b":" + await _written_in_turns(getattr(value, name)))
    return b"{" + b",".join(members) + b"}"


def no_content(*, position: int | None = None) -> Response:
    """204, as every DELETE answers."""
    return Response(None, 204, None if position is None else {"X-Position": str(position)})


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError
