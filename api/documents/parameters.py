"""Query strings: an endpoint takes one as `FromQuery[GroupListQuery]` (semantics 2, rulings D2, D5, D6)."""

import re
from datetime import datetime
from functools import cache, partial
from typing import Annotated, Any, Literal, NamedTuple, TypedDict, get_args, get_origin

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.documents.common import Strict
from api.documents.fields import Items, Parsed
from api.documents.times import moment

DECIMAL = re.compile(r"-?[0-9]{1,18}")
LARGEST_OFFSET = 2**31 - 1


class Parameters(Strict):
    """The parameters of an operation by their contract names; any other is refused."""

    @classmethod
    @cache
    def single(cls) -> frozenset[str]:
        """Names of the parameters that may be given once only; FastAPI would take the last silently (ruling D2)."""
        return frozenset(
            field.alias or name for name, field in cls.model_fields.items() if not _is_array(field.annotation)
        )


class NoParameters(Parameters):
    """The query string of an operation without parameters."""


def _is_array(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(get_origin(choice) is tuple for choice in get_args(annotation))


def _decimal(text: Any) -> Any:
    if isinstance(text, str) and not DECIMAL.fullmatch(text):
        raise PydanticCustomError("decimal", "Input should be a whole number")
    return text


def _flag(text: Any) -> bool:
    if text in ("true", "false"):
        return bool(text == "true")
    raise PydanticCustomError("flag", "Input should be true or false")


Decimal = BeforeValidator(_decimal)
Flag = Annotated[bool, BeforeValidator(_flag)]
"""`true` or `false`, nothing else."""
OnlyTrue = Annotated[Literal[True], BeforeValidator(_flag), WithJsonSchema({"type": "boolean", "const": True})]

PageOffset = Annotated[int, Field(ge=0, le=LARGEST_OFFSET, alias="page[offset]"), Decimal]


class PageOfRows(TypedDict):
    """Which of the rows, by their numbers."""

    limit: int
    offset: int


class Page(Parameters):
    """The usual page: 1 to 1000 rows. Out of range is refused, never cut to fit."""

    page_limit: Annotated[int, Field(ge=1, le=1000, alias="page[limit]"), Decimal] = 100
    page_offset: PageOffset = 0

    @property
    def page(self) -> PageOfRows:
        """The page as queries of read models take it."""
        return {"limit": self.page_limit, "offset": self.page_offset}


class WidePage(Parameters):
    """The page of the authorization lists; a limit of 0 asks for the total only."""

    page_limit: Annotated[int, Field(ge=0, le=100_000, alias="page[limit]"), Decimal] = 5000
    page_offset: PageOffset = 0


class Bound(NamedTuple):
    """One side of a comparison filter: rows whose time stands in this relation to the moment."""

    comparator: Literal["<", "<=", ">", ">="]
    moment: datetime


def _bound(text: Any, *, comparators: re.Pattern[str]) -> Bound:
    if isinstance(text, str) and len(text) <= 40 and (found := comparators.match(text)):
        try:
            return Bound(found.group(), moment(text[found.end() :]))  # type: ignore[arg-type]  # the pattern knows no other
        except ValueError:
            pass
    raise PydanticCustomError("comparison", "Input should be a comparator directly followed by a datetime")


AnyBound = Annotated[Bound, Parsed(partial(_bound, comparators=re.compile("[<>]=?")), max_length=40)]
StrictBound = Annotated[Bound, Parsed(partial(_bound, comparators=re.compile("[<>]")), max_length=40)]
Bounds = Annotated[tuple[AnyBound, ...], Items(most=2, made=tuple)]
"""Up to two bounds with any comparator; a row must satisfy all of them."""
StrictBounds = Annotated[tuple[StrictBound, ...], Items(most=2, made=tuple)]
"""Up to two bounds with `>` or `<`; a row must satisfy all of them."""
