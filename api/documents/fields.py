"""Field types of requests: what a value must look like to be taken (semantics 2, rulings D6, D8 and D17)."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import cache, partial
from itertools import islice
from typing import Annotated, Any, TypeVar, Union, get_args
from uuid import UUID
from zoneinfo import available_timezones

import email_validator
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from domain.core.errors import Invalid
from domain.people.login_names import address_domain, email_key, is_blank
from domain.people.passwords import normal_password

T = TypeVar("T")

# The library's own way to accept addresses in reserved domains such as `.test` (ruling D17).
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

# Addresses that need no library: it takes up to a millisecond for one, and a roster call may bring 10,000.
PLAIN_ADDRESS = re.compile(
    r"(?=.{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:(?=[A-Za-z0-9-]{1,63}\.)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,63}"
)
LIKE_AN_ADDRESS = re.compile(r"[^@]+@[^@\s]+|\".*\"@[^@\s]+", re.DOTALL)
MAX_UNUSUAL_ADDRESSES = 100
"""Of one request (ruling O8): those that only the library can judge, non-ASCII ones above all."""
CANONICAL_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

EXTENSION: dict[str, Any] = {"x-extension": True}


class Parsed:
    """Makes of text what `parse` makes of it, and shows the text's own schema. `parse` gets any JSON value."""

    def __init__(self, parse: Callable[[Any], Any], *, max_length: int) -> None:
        self._parse = parse
        self._schema: JsonSchemaValue = {"type": "string", "maxLength": max_length}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self._schema)


def violation(member: str, code: str, message: str = "") -> ValidationError:
    """The refusal of one member, for validators that look at several; `code` "missing" says that it is not there."""
    kind = code if code == "missing" else PydanticCustomError(code, message)
    return ValidationError.from_exception_data("violation", [InitErrorDetails(type=kind, loc=(member,), input=None)])


def require_exactly_one(model: BaseModel, first: str, second: str, *, about: str | None = None) -> None:
    """Raise the violation of the first member when neither is given, of the second or of `about` when both are."""
    given = [name for name in (first, second) if getattr(model, name.replace("-", "_")) is not None]
    if not given:
        raise violation(first, "missing")
    if len(given) > 1:
        raise violation(about or second, "both", f"Input should be either {first} or {second}")


class _NotNull:
    """Makes `T | None` accept only T: None stands for "not given"."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        given = tuple(choice for choice in get_args(source) if choice is not type(None))
        return handler.generate_schema(Union[given])  # noqa: UP007  # a tuple of types is only known here


Omittable = Annotated[T | None, _NotNull()]
"""A member that may be left out (it is None then) but may not be null."""


class _CanonicalUuid:
    """Takes 8-4-4-4-12 hex digits only; pydantic alone would take braces, URNs and no hyphens too."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True, pattern=CANONICAL_UUID)
        return core_schema.custom_error_schema(
            core_schema.chain_schema([text, handler(source)]),
            custom_error_type="uuid_text",
            custom_error_message="Input should be a UUID in the form 8-4-4-4-12",
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "uuid"}


UuidText = Annotated[UUID, _CanonicalUuid()]
"""A UUID as text, canonical, digits in any case."""


def without_nul(text: str) -> str:
    """The text itself; NUL and lone surrogates, which Postgres cannot store, are refused (ruling D8)."""
    if "\0" in text:
        raise PydanticCustomError("text", "Input should not contain a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise PydanticCustomError("text", "Input should not contain lone surrogates") from None
    return text


def _secret_without_nul(secret: SecretStr) -> SecretStr:
    without_nul(secret.get_secret_value())
    return secret


MAX_PASSWORD = 255
MAX_PARTS = 4
"""Characters that canonical decomposition makes of one (U+1F82)."""


def _in_nfc(value: Any, most: int) -> Any:
    """Text in NFC, so that lengths are counted and values compared whatever a keyboard sends (ruling O5).

    Text that is too long in any form stays as it is: sorting its combining marks takes time that grows with the square.
    """
    if not isinstance(value, str) or value.isascii() or len(value) > most * MAX_PARTS:
        return value
    return unicodedata.normalize("NFC", value)


def _composed(most: int) -> BeforeValidator:
    return BeforeValidator(partial(_in_nfc, most=most))


def _composed_password(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > MAX_PASSWORD * MAX_PARTS:
        return value
    return normal_password(value)


def _visible(text: str) -> str:
    if is_blank(text):
        raise PydanticCustomError("blank", "Input should have a visible character")
    return text


def _one_line(text: str) -> str:
    if "\r" in text or "\n" in text:
        raise PydanticCustomError("lines", "Input should be one line")
    return text


_STORABLE = AfterValidator(without_nul)
_VISIBLE = AfterValidator(_visible)

Text10 = Annotated[str, StringConstraints(strict=True, max_length=10), _composed(10), _STORABLE]
Text16 = Annotated[str, StringConstraints(strict=True, max_length=16), _composed(16), _STORABLE]
Text20 = Annotated[str, StringConstraints(strict=True, max_length=20), _composed(20), _STORABLE]
Text64 = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64), _composed(64), _STORABLE]
Text255 = Annotated[str, StringConstraints(strict=True, max_length=255), _composed(255), _STORABLE]
Text512 = Annotated[str, StringConstraints(strict=True, max_length=512), _composed(512), _STORABLE]
MailSubject = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=255),
    _composed(255),
    _STORABLE,
    AfterValidator(_one_line),
]
"""One line of 1 to 255 characters."""
TemplateText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=65_536), _STORABLE]
SmsText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1_600), _STORABLE]
MessageText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1_000), _STORABLE, _VISIBLE]
Name = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=255),
    _composed(255),
    _STORABLE,
    _VISIBLE,
]
"""1 to 255 characters, counted without surrounding blanks, which are cut off; one of them is visible."""
DisplayName = Name
Tag = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=127), _composed(127), _STORABLE, _VISIBLE]
Slug = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
"""1 to 63 of a-z, 0-9 and hyphens, none of them at the edges."""
PhoneText = Annotated[str, StringConstraints(strict=True, max_length=30, pattern=r"^\+[1-9][0-9]{6,14}$")]
"""A phone number in E.164."""
Secret = Annotated[
    SecretStr, Field(max_length=MAX_PASSWORD), BeforeValidator(_composed_password), AfterValidator(_secret_without_nul)
]
"""A password in its normal form: `repr` shows asterisks, `get_secret_value()` the text."""
Secret512 = Annotated[SecretStr, Field(max_length=512), AfterValidator(_secret_without_nul)]
Secret2048 = Annotated[SecretStr, Field(max_length=2048), AfterValidator(_secret_without_nul)]
LongSecret = Annotated[SecretStr, Field(max_length=16384), AfterValidator(_secret_without_nul)]
"""A token that other systems made."""
JsonObject = dict[str, Any]
"""Any object; the texts in it are judged with the whole body (`api/edge/bodies.py`)."""


def _composed_address(value: Any) -> Any:
    """In NFC where it may be an address, which few of a long list may be."""
    if not isinstance(value, str) or value.isascii() or not LIKE_AN_ADDRESS.fullmatch(value[:255]):
        return value
    return _in_nfc(value, 254)


def _email_syntax(text: str) -> str:
    if PLAIN_ADDRESS.fullmatch(text):
        return text
    try:
        if not LIKE_AN_ADDRESS.fullmatch(text):
            raise email_validator.EmailSyntaxError
        email_validator.validate_email(text, check_deliverability=False, allow_quoted_local=True, strict=True)
        address_domain(text.rpartition("@")[2])
    except (email_validator.EmailNotValidError, Invalid):
        # the library's text quotes the address
        raise PydanticCustomError("email", "Input should be an e-mail address") from None
    return text


EmailText = Annotated[
    str,
    StringConstraints(strict=True, max_length=254),
    BeforeValidator(_composed_address),
    AfterValidator(_email_syntax),
    _STORABLE,
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254}),
]
"""An e-mail address by its syntax (RFC 2822), as given but for NFC: nothing is asked of the DNS."""


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


def _contract_time(time: datetime) -> str:
    in_utc = time.astimezone(UTC) if time.tzinfo else time
    return in_utc.isoformat(" ", "seconds")[:19]


ContractDatetime = Annotated[datetime, PlainSerializer(_contract_time, return_type=str)]
"""Answers `YYYY-MM-DD hh:mm:ss` in UTC, fractions of a second cut off (ruling D6)."""


def folded(items: Iterable[T]) -> tuple[T, ...]:
    """The items in their order, each once (ruling F14)."""
    return tuple(dict.fromkeys(items))


def folded_emails(emails: Iterable[str]) -> tuple[str, ...]:
    """The addresses in their order, each once, as they are compared (ruling O5)."""
    first: dict[str, str] = {}
    for email in emails:
        first.setdefault(email_key(email), email)
    return tuple(first.values())


def few_unusual_addresses(items: Any) -> Any:
    """What was sent, unless more of it than MAX_UNUSUAL_ADDRESSES would have to be judged by the library."""
    if isinstance(items, list):
        unusual = (each for each in items if isinstance(each, str) and not PLAIN_ADDRESS.fullmatch(each))
        costly = (each for each in unusual if LIKE_AN_ADDRESS.fullmatch(each[:255]))
        if next(islice(costly, MAX_UNUSUAL_ADDRESSES, None), None) is not None:
            text = f"At most {MAX_UNUSUAL_ADDRESSES} unusual e-mail addresses may be given at once"
            raise PydanticCustomError("emails", text)
    return items


class Items:
    """Bounds the number of items as sent, then makes a tuple of them with `made`. `check` looks at what was sent first.

    pydantic's own tuple counts only the good items, so that a single bad one would also be "too few", and looks at
    each of too many.
    """

    def __init__(
        self,
        *,
        least: int | None = None,
        most: int,
        made: Callable[[list[Any]], tuple[Any, ...]],
        check: Callable[[Any], Any] | None = None,
    ) -> None:
        self._least = least
        self._most = most
        self._made = made
        self._check = check

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        items = handler.generate_schema(get_args(source)[0])
        bounded = core_schema.list_schema(items, min_length=self._least, max_length=self._most)
        checked = (
            bounded if self._check is None else core_schema.no_info_before_validator_function(self._check, bounded)
        )
        return core_schema.no_info_after_validator_function(self._made, checked)


RosterIds = Annotated[tuple[UuidText, ...], Items(most=10_000, made=folded)]
SomeRosterIds = Annotated[tuple[UuidText, ...], Items(least=1, most=10_000, made=folded)]
SomeRosterEmails = Annotated[
    tuple[EmailText, ...], Items(least=1, most=10_000, made=folded_emails, check=few_unusual_addresses)
]
Ids = Annotated[tuple[UuidText, ...], Items(most=1000, made=folded)]
SomeIds = Annotated[tuple[UuidText, ...], Items(least=1, most=1000, made=folded)]
Tags = Annotated[tuple[Tag, ...], Items(most=50, made=folded)]
