"""Request bodies: their limits, and strict parsing of JSON and forms (rulings D7, D8, D9)."""

import asyncio
import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl

from starlette.requests import Request

from api.edge.errors import MAX_VIOLATIONS, PayloadTooLarge, json_pointer, several
from domain.core.errors import DomainError, Invalid

MAX_BODY = 8 * 1024 * 1024
MAX_CREDENTIALS_BODY = 16 * 1024
"""The limit of operations that take passwords, tokens and codes, most of them without authentication (ruling O15)."""
MAX_PUBLIC_BODY = 128 * 1024
"""The limit of operations without authentication that take more: what a sign-up or a proxied call has to say."""
MAX_DEPTH = 32
MAX_VALUES = 100_000
"""Several times what the largest rosters need; many small values take far more time than their bytes suggest."""
MAX_MEMBERS = 1000
"""Members of one object. Each unknown member is a violation, and reporting a violation takes longer than parsing."""
MAX_NUMBER = 2**63 - 1


class Body(NamedTuple):
    """The body of a request. `waited` tells whether reading it had to wait for the client."""

    content: bytes
    waited: bool


async def read_body(request: Request, max_body: int = MAX_BODY) -> Body:
    """Return the whole body. Raises PayloadTooLarge as soon as the body exceeds `max_body` bytes."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > max_body:
        raise PayloadTooLarge(max_body)
    chunks: list[bytes] = []
    size = 0
    waits: list[bool] = []
    # this callback runs only when reading yields to the event loop, that is, when it waits for the client
    wait_callback = asyncio.get_running_loop().call_soon(waits.append, True)
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_body:
            raise PayloadTooLarge(max_body)
        chunks.append(chunk)
    wait_callback.cancel()
    return Body(chunks[0] if len(chunks) == 1 else b"".join(chunks), bool(waits))


def parsed_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form without the empty ones (RFC 6749, section 3.2). Raises Invalid."""
    try:
        pairs = parse_qsl(body.decode(), max_num_fields=MAX_MEMBERS, errors="strict")
    except ValueError:
        raise Invalid("The body is not a form.", pointer="") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Invalid("The form has the same field twice.", pointer="")
    unstorable = list(islice(_unstorable(fields, ()), MAX_VIOLATIONS))
    if unstorable:
        raise several(unstorable)
    return fields


def parsed_body(body: bytes) -> Any:
    """Return the JSON value of the body; None for an empty body. Raises Invalid for each violation.

    It refuses what the standard library accepts beyond RFC 8259 (NaN), the same member twice in an object, and values
    that cannot be stored (NUL, lone surrogates, numbers beyond 64 bits).
    """
    if not body:
        return None
    containers = body.count(b"{") + body.count(b"[")
    if containers + body.count(b",") > MAX_VALUES:
        raise Invalid(f"The body has more than {MAX_VALUES} values.", pointer="")
    decoder = _Decoder()
    try:
        value = decoder.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The body is not acceptable JSON{_reason(error)}.", pointer="") from None
    if containers > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise Invalid(f"The body is nested deeper than {MAX_DEPTH} levels.", pointer="")
    # only escapes can contain characters that UTF-8 and the JSON grammar forbid
    if b"\\u" in body or decoder.met_large_number:
        unstorable = list(islice(_unstorable(value, ()), MAX_VIOLATIONS))
        if unstorable:
            raise several(unstorable)
    return value


class _RepeatedMemberError(ValueError):
    pass


class _ConstantError(ValueError):
    pass


class _TooManyMembersError(ValueError):
    pass


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise _TooManyMembersError
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RepeatedMemberError
    return members


def _raise_for_constant(_: str) -> NoReturn:
    raise _ConstantError


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _raise_for_constant(text)


class _Decoder(json.JSONDecoder):
    """Decodes one text, and records whether it contains an integer that cannot be stored."""

    def __init__(self) -> None:
        super().__init__(
            object_pairs_hook=_members,
            parse_constant=_raise_for_constant,
            parse_float=_finite,
            parse_int=self._integer,
        )
        self.met_large_number = False

    def _integer(self, text: str) -> int:
        number = int(text)
        self.met_large_number |= abs(number) > MAX_NUMBER
        return number


def _reason(error: Exception) -> str:
    match error:
        case _RepeatedMemberError():
            return ": an object has the same member twice"
        case _TooManyMembersError():
            return f": an object has more than {MAX_MEMBERS} members"
        case _ConstantError():
            return ": a number is NaN, infinite or too large"
        case RecursionError():
            return f": it is nested deeper than {MAX_DEPTH} levels"
        case json.JSONDecodeError():
            return f" (line {error.lineno}, column {error.colno})"
        case _:
            return ""


def _depth(value: Any) -> int:
    """Return how deeply the value's objects and arrays are nested."""
    depth = 0
    level = [value] if isinstance(value, (dict, list)) else []
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, (dict, list))
        ]
    return depth


def _unstorable(value: Any, location: tuple[str | int, ...]) -> Iterator[DomainError]:
    match value:
        case str() if not _storable(value):
            yield Invalid("Text cannot contain NUL or lone surrogates.", pointer=json_pointer(location))
        case int() if abs(value) > MAX_NUMBER:
            yield Invalid("Input should be a number of at most 64 bits.", pointer=json_pointer(location))
        case dict():
            if not all(map(_storable, value)):
                yield Invalid("Names cannot contain NUL or lone surrogates.", pointer=json_pointer(location))
            for name, member in value.items():
                if _storable(name):
                    yield from _unstorable(member, (*location, name))
        case list():
            for index, item in enumerate(value):
                yield from _unstorable(item, (*location, index))


def _storable(text: str) -> bool:
    """Return whether the text has neither NUL nor lone surrogates; encoding is the fastest way to find those."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
