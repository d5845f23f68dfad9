"""Requests in a JSON:API envelope: `{"data": {"type", "id", "attributes"}}` (semantics 2, rulings A10 and D14)."""

from functools import cache
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, get_args, get_origin
from uuid import UUID

from pydantic import GetCoreSchemaHandler
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import CoreSchema, core_schema

from api.documents.common import Strict
from api.documents.fields import JsonObject, Omittable
from domain.core.errors import Conflict, Forbidden

TType = TypeVar("TType", bound=str)
TAttributes = TypeVar("TAttributes", bound=Strict)

IdRule = Literal["forbidden", "path", "path-optional"]


class TypeConflict(Conflict, code="type-conflict"):
    """The document's type is not the type of this resource."""


class IdConflict(Conflict, code="id-conflict"):
    """The document's id is not the id in the path."""


class ClientIdNotAllowed(Forbidden, code="client-id-not-allowed"):
    """The server chooses the id."""


class _Announced:
    """Shows a literal in the schema but takes any text: another type is a conflict (409), not a violation (400)."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        announced = {"const": get_args(source)[0]} if get_origin(source) is Literal else {}
        return core_schema.str_schema(strict=True, metadata={"pydantic_js_updates": announced})


class _AnyId:
    """Takes any text and shows a UUID: another id is a conflict (409), not a violation (400)."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.str_schema(strict=True, metadata={"pydantic_js_updates": {"format": "uuid"}})


IdText = Annotated[str, _AnyId()]


class _Data(Strict, Generic[TType, TAttributes]):
    type: Annotated[TType, _Announced()]
    attributes: TAttributes
    id: Any = None


class CreateData(_Data[TType, TAttributes], Generic[TType, TAttributes]):
    id: SkipJsonSchema[Any] = None


class UpdateData(_Data[TType, TAttributes], Generic[TType, TAttributes]):
    id: IdText


class ActionData(_Data[TType, TAttributes], Generic[TType, TAttributes]):
    id: Omittable[IdText] = None


class JsonApiRequest(Strict, Generic[TType, TAttributes]):
    """A request in an envelope. The edge calls `verify` right after parsing, before anything is looked up.

    `jsonapi` and `meta` are tolerated and ignored.
    """

    id_rule: ClassVar[IdRule]

    data: _Data[TType, TAttributes]
    jsonapi: Omittable[JsonObject] = None
    meta: Omittable[JsonObject] = None

    @property
    def attributes(self) -> TAttributes:
        """What the client wants set."""
        return self.data.attributes

    @classmethod
    @cache
    def resource_type(cls) -> str:
        """Return the type that the model names."""
        (name,) = get_args(cls.model_fields["data"].annotation.model_fields["type"].annotation)  # type: ignore[union-attr]  # of CreateData and its like
        return str(name)

    def verify(self, path_id: UUID | str | None = None) -> None:
        """Nothing, when type and id are those of the resource.

        Raises TypeConflict, ClientIdNotAllowed (on a creation), IdConflict (not the id in the path).
        """
        if self.data.type != self.resource_type():
            raise TypeConflict(pointer="/data/type")
        if "id" not in self.data.model_fields_set:
            return
        if self.id_rule == "forbidden":
            raise ClientIdNotAllowed(pointer="/data/id")
        if self.data.id.lower() != str(path_id).lower():
            raise IdConflict(pointer="/data/id")


class CreateRequest(JsonApiRequest[TType, TAttributes], Generic[TType, TAttributes]):
    """The body of a POST that makes a resource: the server chooses its id."""

    id_rule: ClassVar[IdRule] = "forbidden"

    data: CreateData[TType, TAttributes]


class UpdateRequest(JsonApiRequest[TType, TAttributes], Generic[TType, TAttributes]):
    """The body of a PATCH: it repeats the id of the path."""

    id_rule: ClassVar[IdRule] = "path"

    data: UpdateData[TType, TAttributes]


class ActionRequest(JsonApiRequest[TType, TAttributes], Generic[TType, TAttributes]):
    """The body of an action on a resource: it may repeat the id of the path."""

    id_rule: ClassVar[IdRule] = "path-optional"

    data: ActionData[TType, TAttributes]
