"""Times, dates and time zones of requests and answers (semantics 2, ruling D6)."""

import re
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_timezone(text: str) -> str:
    if text not in _timezones():
        raise PydanticCustomError("timezone", "Input should be the IANA name of a time zone")
    return text


Timezone = Annotated[str, StringConstraints(strict=True, max_length=64), AfterValidator(_known_timezone)]


def moment(text: str) -> datetime:
    """The UTC time that `YYYY-MM-DD hh:mm:ss` or RFC 3339 text says. Raises ValueError when it says none."""
    if not MOMENT.fullmatch(text):
        raise ValueError("not a datetime")
    parsed = datetime.fromisoformat(text.upper())
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError:
        raise ValueError("not a datetime in UTC") from None


def _day(text: Any) -> Any:
    if not isinstance(text, str) or not DAY.fullmatch(text):
        raise PydanticCustomError("day", "Input should be a date in the form YYYY-MM-DD")
    return text


DateText = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


def _moment(value: Any) -> Any:
    try:
        return moment(value)
    except (TypeError, ValueError):
        raise PydanticCustomError("moment", "Input should be a datetime, YYYY-MM-DD hh:mm:ss or RFC 3339") from None


MomentText = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A point in time; without an offset it is in UTC (ruling D6)."""


def _contract_time(time: datetime) -> str:
    in_utc = time.astimezone(UTC) if time.tzinfo else time
    return in_utc.isoformat(" ", "seconds")[:19]


ContractDatetime = Annotated[datetime, PlainSerializer(_contract_time, return_type=str)]
"""Answers `YYYY-MM-DD hh:mm:ss` in UTC, fractions of a second cut off (ruling D6)."""
