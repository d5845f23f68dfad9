"""Field types of requests: what a value must look like to be taken (semantics 2, rulings D6, D8 and D17)."""

import unicodedata
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Any, TypeVar, Union, get_args
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from domain.people.login_names import is_blank
from domain.people.passwords import normal_password

T = TypeVar("T")
TModel = TypeVar("TModel", bound=BaseModel)

CANONICAL_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
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


def problem(place: str | tuple[str | int, ...], code: str, message: str = "") -> InitErrorDetails:
    """What is wrong at one place; `code` "missing" says that nothing is there."""
    kind = code if code == "missing" else PydanticCustomError(code, message)
    return InitErrorDetails(type=kind, loc=(place,) if isinstance(place, str) else place, input=None)


def violations(problems: list[InitErrorDetails]) -> ValidationError:
    """The refusal of all these problems."""
    return ValidationError.from_exception_data("violation", problems)


def violation(member: str, code: str, message: str = "", *, within: tuple[str | int, ...] = ()) -> ValidationError:
    """The refusal of one member, for validators that look at several; `code` "missing" says that it is not there.

    `within` leads to the object that has the member.
    """
    return violations([problem((*within, member), code, message)])


def exactly_one(first: str, second: str, *, about: str | None = None) -> Any:
    """Return the validator of a model of whose two members exactly one must be given.

    The violation is of the first member when neither is given, of the second or of `about` when both are.
    """

    def require(model: TModel) -> TModel:
        given = [name for name in (first, second) if getattr(model, name.replace("-", "_")) is not None]
        if not given:
            raise violation(first, "missing")
        if len(given) > 1:
            raise violation(about or second, "both", f"Input should be either {first} or {second}")
        return model

    return model_validator(mode="after")(require)


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


def in_nfc(value: Any, most: int) -> Any:
    """Text in NFC, so that lengths are counted and values compared whatever a keyboard sends (ruling O5).

    Text that is too long in any form stays as it is: sorting its combining marks takes time that grows with the square.
    """
    if not isinstance(value, str) or value.isascii() or len(value) > most * MAX_PARTS:
        return value
    return unicodedata.normalize("NFC", value)


def _composed(most: int) -> BeforeValidator:
    return BeforeValidator(partial(in_nfc, most=most))


def _composed_password(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > MAX_PASSWORD * MAX_PARTS:
        return value
    return normal_password(value)


def _visible(text: str) -> str:
    if is_blank(text):
        raise PydanticCustomError("blank", "Input should have a visible character")
    return text


def _one_line(text: str) -> str:
    """Return the text, which may stand in a header of an e-mail (ruling K42)."""
    if not text.isprintable() and any(unicodedata.category(each) in _SEPARATORS for each in text):
        raise PydanticCustomError("lines", "Input should be one line without control characters")
    return text


_SEPARATORS = frozenset({"Cc", "Zl", "Zp"})
"""The categories of control characters and line separators."""


STORABLE = AfterValidator(without_nul)
_VISIBLE = AfterValidator(_visible)
_ONE_LINE = AfterValidator(_one_line)

Text10 = Annotated[str, StringConstraints(strict=True, max_length=10), _composed(10), STORABLE]
Text16 = Annotated[str, StringConstraints(strict=True, max_length=16), _composed(16), STORABLE]
Text20 = Annotated[str, StringConstraints(strict=True, max_length=20), _composed(20), STORABLE]
Text64 = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64), _composed(64), STORABLE]
Text255 = Annotated[str, StringConstraints(strict=True, max_length=255), _composed(255), STORABLE]
Text512 = Annotated[str, StringConstraints(strict=True, max_length=512), _composed(512), STORABLE]
MailSubject = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=255),
    _composed(255),
    STORABLE,
    _ONE_LINE,
]
"""One line of 1 to 255 characters."""
MailboxName = Annotated[Text255, _ONE_LINE]
"""The name beside an e-mail address."""
TemplateText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=65_536), STORABLE]
SmsText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1_600), STORABLE]
MessageText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1_000), STORABLE, _VISIBLE]
Name = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=255),
    _composed(255),
    STORABLE,
    _VISIBLE,
    _ONE_LINE,
]
"""One line of 1 to 255 characters, counted without surrounding blanks, which are cut off; one of them is visible."""
DisplayName = Name
Tag = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=127), _composed(127), STORABLE, _VISIBLE]
Slug = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
"""1 to 63 of a-z, 0-9 and hyphens, none of them at the edges."""
PhoneText = Annotated[str, StringConstraints(strict=True, max_length=30, pattern=r"^\+[1-9][0-9]{6,14}$")]
"""A phone number in E.164."""
Secret = Annotated[
    SecretStr, Field(max_length=MAX_PASSWORD), BeforeValidator(_composed_password), AfterValidator(_secret_without_nul)
]
"""A password in its normal form: `repr` shows asterisks, `get_secret_value()` the text."""
Secret20 = Annotated[SecretStr, Field(max_length=20), AfterValidator(_secret_without_nul)]
"""A code that a person received in a message."""
Secret64 = Annotated[SecretStr, Field(max_length=64), AfterValidator(_secret_without_nul)]
Secret512 = Annotated[SecretStr, Field(max_length=512), AfterValidator(_secret_without_nul)]
Secret2048 = Annotated[SecretStr, Field(max_length=2048), AfterValidator(_secret_without_nul)]
LongSecret = Annotated[SecretStr, Field(max_length=16384), AfterValidator(_secret_without_nul)]
"""A token that other systems made."""
JsonObject = dict[str, Any]
"""Any object; the texts in it are judged with the whole body (`api/edge/bodies.py`)."""


def folded(items: Iterable[T]) -> tuple[T, ...]:
    """The items in their order, each once (ruling F14)."""
    return tuple(dict.fromkeys(items))


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
Ids = Annotated[tuple[UuidText, ...], Items(most=1000, made=folded)]
SentIds = Annotated[tuple[UuidText, ...], Items(most=1000, made=tuple)]
"""Ids in the places where they were sent, which refusals name."""
SomeIds = Annotated[tuple[UuidText, ...], Items(least=1, most=1000, made=folded)]
Tags = Annotated[tuple[Tag, ...], Items(most=50, made=folded)]
