"""Answers: JSON:API documents from the contract's models, with the position they are from (rulings B1, B2, B6)."""

from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel
from starlette.responses import Response

MEDIA_TYPE = "application/vnd.api+json"


def rendered(value: Any) -> bytes:
    """JSON. Ids and times of a plain value are written as the contract wants them by whoever built it."""
    if isinstance(value, BaseModel):
        return value.__pydantic_serializer__.to_json(value, by_alias=True)
    return orjson.dumps(value, default=_plain)


def answer(document: Any, status: int = 200, *, position: int | None = None) -> Response:
    """An answer with a document: a model of `api.documents`, a plain value, or None for `null`.

    `position` becomes the X-Position header only; `meta.position` is the document's own.
    """
    headers = None if position is None else {"X-Position": str(position)}
    return Response(rendered(document), status, headers, MEDIA_TYPE)


def no_content(*, position: int | None = None) -> Response:
    """204, as every DELETE answers."""
    return Response(None, 204, None if position is None else {"X-Position": str(position)})


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError
