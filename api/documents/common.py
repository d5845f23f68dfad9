"""The bases of requests and answers, and the documents that all resources share (JSON:API 1.1, semantics 2)."""

from typing import Annotated, Any, Generic, Self, TypeVar
from uuid import UUID

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.documents.fields import EXTENSION

TResource = TypeVar("TResource")
TAttributes = TypeVar("TAttributes")


def kebab(name: str) -> str:
    """The contract's spelling of a Python name; a trailing underscore avoids keywords."""
    return name.rstrip("_").replace("_", "-")


def _without_null_defaults(schema: JsonDict) -> None:
    """Leave out `default: null`, which would say that null may be sent."""
    for member in schema.get("properties", {}).values():  # type: ignore[union-attr]  # pydantic makes it an object
        if isinstance(member, dict) and member.get("default", ...) is None:
            del member["default"]


class Strict(BaseModel):
    """What a client sends: unknown members are refused, names are kebab-case, nothing changes after parsing."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=kebab,
        hide_input_in_errors=True,
        json_schema_extra=_without_null_defaults,
    )

    def given(self) -> dict[str, Any]:
        """The members that the client sent, by Python name: of a PATCH, what is to change."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


class EmptyBody(Strict):
    """The body of an operation that asks for nothing: none, or an object without members (ruling D19)."""


class Attributes(BaseModel):
    """What the service answers. Built by Python names, dumped by the contract's; every attribute is always there.

    `model_construct` is the cheap way to build one: the values of a row need no checking.
    """

    model_config = ConfigDict(
        frozen=True,
        alias_generator=AliasGenerator(serialization_alias=kebab),
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )

    @classmethod
    def of(cls, row: Any, **others: Any) -> Self:
        """Return what a row says under the names of the attributes, and the others as they are given."""
        return cls.model_construct(
            **{name: getattr(row, name) for name in cls.model_fields if name not in others}, **others
        )


def _absent(value: Any) -> bool:
    return value is None


Position = Annotated[int | None, Field(exclude_if=_absent, json_schema_extra=EXTENSION)]
"""How far into the log the answer knows; left out where the operation has no position (rulings B2 and B3)."""


class Meta(Attributes):
    """`meta` of a list: the page that was asked for and how many rows there are in all."""

    page_limit: int = Field(serialization_alias="page[limit]")
    page_offset: int = Field(serialization_alias="page[offset]")
    page_total: int = Field(serialization_alias="page[total]")
    position: Position = None


class SingleMeta(Attributes):
    """`meta` of a single document."""

    position: Position = None


class Single(Attributes, Generic[TResource]):
    """A document about one thing."""

    data: TResource
    meta: SingleMeta = SingleMeta()


class Listing(Attributes, Generic[TResource]):
    """A document with a page of a list."""

    data: list[TResource]
    meta: Meta


class Resource(Attributes, Generic[TAttributes]):
    """What documents tell of a thing. Each resource declares the constant that its `type` is."""

    attributes: TAttributes
    id: UUID
    type: str


class ErrorSource(Attributes):
    """Where in the request the reason stands: a parameter's name or a JSON pointer (RFC 6901)."""

    parameter: str | None = Field(default=None, exclude_if=_absent)
    pointer: str | None = Field(default=None, exclude_if=_absent)


class Error(Attributes):
    """One violation. `status` is a number here, unlike in JSON:API."""

    code: str
    detail: str
    meta: dict[str, Any] = Field(default_factory=dict)
    source: ErrorSource = ErrorSource()
    status: int


class Errors(Attributes):
    """The document of every refusal."""

    errors: list[Error]
