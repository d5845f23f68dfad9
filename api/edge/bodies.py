"""Request bodies: bounded, and strictly JSON (rulings D7, D8, D9)."""

import asyncio
import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl

from starlette.requests import Request

from api.edge.errors import MOST_TOLD, PayloadTooLarge, json_pointer, several
from domain.core.errors import DomainError, Invalid

LARGEST_BODY = 8 * 1024 * 1024
MAX_CREDENTIALS_BODY = 16 * 1024
"""Of the operations that take passwords, tokens and codes, most of them from anybody (ruling O15)."""
DEEPEST = 32
MOST_VALUES = 100_000
"""Several times what the largest rosters need; many small values cost far more time than their bytes."""
MAX_MEMBERS = 1000
"""Of one object: each unknown one is a violation, and making violations takes far longer than parsing."""
LARGEST_NUMBER = 2**63 - 1


class Body(NamedTuple):
    """What was sent. `waited` tells whether reading it had to wait for the client."""

    content: bytes
    waited: bool


async def read_body(request: Request, max_body: int = LARGEST_BODY) -> Body:
    """Return the whole body. Raise PayloadTooLarge as soon as it is known to have more than `max_body` bytes."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > max_body:
        raise PayloadTooLarge(max_body)
    chunks: list[bytes] = []
    size = 0
    waits: list[bool] = []
    # runs only when reading gives up the loop, so not while all that is read has arrived
    noticing = asyncio.get_running_loop().call_soon(waits.append, True)
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_body:
            raise PayloadTooLarge(max_body)
        chunks.append(chunk)
    noticing.cancel()
    return Body(chunks[0] if len(chunks) == 1 else b"".join(chunks), bool(waits))


def parsed_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form; those without a value are not there (RFC 6749, section 3.2). Raises Invalid."""
    try:
        pairs = parse_qsl(body.decode(), max_num_fields=MAX_MEMBERS, errors="strict")
    except ValueError:
        raise Invalid("The body is no form.", pointer="") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Invalid("A field is given twice.", pointer="")
    unstorable = list(islice(_unstorable(fields, ()), MOST_TOLD))
    if unstorable:
        raise several(unstorable)
    return fields


def parsed_body(body: bytes) -> Any:
    """The JSON value; None for no body. Raises Invalid, one for each violation.

    Refused are what the standard library takes beyond RFC 8259 (NaN), what it folds silently (members given twice),
    and what cannot be stored or passed on (NUL, lone surrogates, numbers beyond 64 bits).
    """
    if not body:
        return None
    containers = body.count(b"{") + body.count(b"[")
    if containers + body.count(b",") > MOST_VALUES:
        raise Invalid(f"The body has more than {MOST_VALUES} values.", pointer="")
    decoder = _Decoder()
    try:
        value = decoder.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The body is not acceptable JSON{_reason(error)}.", pointer="") from None
    if containers > DEEPEST and _depth(value) > DEEPEST:
        raise Invalid(f"The body is nested deeper than {DEEPEST}.", pointer="")
    # only escapes can bring in what UTF-8 and the JSON grammar forbid
    if b"\\u" in body or decoder.met_large_number:
        unstorable = list(islice(_unstorable(value, ()), MOST_TOLD))
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
    """Decodes one text, and notes whether it has met an integer that cannot be stored."""

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
        self.met_large_number |= abs(number) > LARGEST_NUMBER
        return number


def _reason(error: Exception) -> str:
    match error:
        case _RepeatedMemberError():
            return ": a member is given twice"
        case _TooManyMembersError():
            return f": an object has more than {MAX_MEMBERS} members"
        case _ConstantError():
            return ": NaN and Infinity are no numbers, nor what is as large"
        case RecursionError():
            return f": it is nested deeper than {DEEPEST}"
        case json.JSONDecodeError():
            return f" (line {error.lineno}, column {error.colno})"
        case _:
            return ""


def _depth(value: Any) -> int:
    """How many containers stand in each other."""
    depth = 0
    level = [value] if isinstance(value, (dict, list)) else []
    while level and depth <= DEEPEST:
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
            yield Invalid("NUL and lone surrogates are not acceptable.", pointer=json_pointer(location))
        case int() if abs(value) > LARGEST_NUMBER:
            yield Invalid("Input should be a number of at most 64 bits.", pointer=json_pointer(location))
        case dict():
            if not all(map(_storable, value)):
                yield Invalid("NUL and lone surrogates are not acceptable in names.", pointer=json_pointer(location))
            for name, member in value.items():
                if _storable(name):
                    yield from _unstorable(member, (*location, name))
        case list():
            for index, item in enumerate(value):
                yield from _unstorable(item, (*location, index))


def _storable(text: str) -> bool:
    """Encoding refuses lone surrogates, a hundred times faster than looking at each character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
