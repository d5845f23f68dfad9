"""Anonymous accesses: /v1/anonymous-accesses/ and the calls through them (semantics 7, rulings K132 to K136)."""

import json
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api.documents.common import Attributes, Resource, Single, Strict
from api.documents.envelope import CreateRequest, UpdateRequest
from api.documents.fields import Items, JsonObject, Omittable, UuidText, violation
from api.documents.times import ContractDatetime, MomentText
from domain.sessions.anonymous_accesses import MAX_ENDPOINTS, Method

_PATH = re.compile(r"/[!-~]*")
_UNSAFE = re.compile(r"\.\.|//|[%?#\\]|/\.(?=/|$)")
"""What servers might resolve, decode or cut off, so that another path than the allowed one would be called."""
WITH_BODY = ("patch", "post")
MAX_QUERY = 32 * 1024
"""Bytes of an encoded query: far more than servers usually accept, and half of what the HTTP client can send."""


def is_plain(path: str) -> bool:
    """Return whether every server takes the path as it is written."""
    return bool(_PATH.fullmatch(path)) and not _UNSAFE.search(path)


def _pattern(path: str) -> str:
    segments = path.split("/")
    if not is_plain(path) or any(each != "{id}" and ("{" in each or "}" in each) for each in segments):
        raise PydanticCustomError("path", "Input should be a plain path, with {id} only as a whole segment")
    return path


def _endpoint(endpoint: str) -> str:
    service, slash, _ = endpoint.removeprefix("/").partition("/")
    if not (endpoint.startswith("/") and service and slash and is_plain(endpoint)):
        raise PydanticCustomError("endpoint", "Input should be /<service>/<path>, with a plain path")
    return endpoint


def _params(params: Any) -> Any:
    if isinstance(params, dict):
        for name, value in params.items():
            items = value if isinstance(value, list) else [value]
            if not all(isinstance(each, str | int | float | bool) for each in items):
                raise violation(name, "scalar", "Input should be a text, number or boolean, or a list of them")
    return params


def encoded(params: dict[str, Any]) -> str:
    """Return the parameters as a query string; those with a list occur once for each item."""
    pairs = [(name, item) for name, value in params.items() for item in (value if isinstance(value, list) else [value])]
    return urlencode([(name, item if isinstance(item, str) else json.dumps(item)) for name, item in pairs])


def _short(params: dict[str, Any]) -> dict[str, Any]:
    if len(encoded(params)) > MAX_QUERY:
        raise PydanticCustomError("query", f"Input should have at most {MAX_QUERY} bytes as a query string")
    return params


def _without_default(schema: dict[str, Any]) -> None:
    """The contract names no default."""
    schema.pop("default", None)


class EndpointToAllow(Strict):
    path: Annotated[str, StringConstraints(strict=True, max_length=255, pattern="^/"), AfterValidator(_pattern)]
    service: Annotated[str, StringConstraints(strict=True, max_length=32)]
    method: Annotated[Method, Field(json_schema_extra=_without_default)] = "get"


EndpointsToAllow = Annotated[tuple[EndpointToAllow, ...], Items(least=1, most=MAX_ENDPOINTS, made=tuple)]


class AnonymousAccessToCreate(Strict):
    allowed_endpoints: EndpointsToAllow
    expired_at: MomentText
    user_id: UuidText


class AnonymousAccessToChange(Strict):
    allowed_endpoints: Omittable[EndpointsToAllow] = None
    expired_at: Omittable[MomentText] = None


class CreateAnonymousAccess(CreateRequest[Literal["anonymous-accesses"], AnonymousAccessToCreate]):
    """POST /v1/anonymous-accesses/."""


class UpdateAnonymousAccess(UpdateRequest[Literal["anonymous-accesses"], AnonymousAccessToChange]):
    """PATCH /v1/anonymous-accesses/{id}/."""


class CallToProxy(Strict):
    """POST /v1/anonymous-accesses/{id}/proxy/."""

    endpoint: Annotated[
        str, StringConstraints(strict=True, max_length=255, pattern="^/[^/]+/"), AfterValidator(_endpoint)
    ]
    method: Method
    json_: Omittable[JsonObject] = None
    params: Annotated[Omittable[Annotated[JsonObject, AfterValidator(_short)]], BeforeValidator(_params)] = None

    @model_validator(mode="after")
    def _json_where_it_belongs(self) -> Self:
        if self.json_ is not None and self.method not in WITH_BODY:
            raise violation("json", "method", "Input should be left out, except for post and patch")
        return self

    @property
    def service(self) -> str:
        """Return the name of the service."""
        return self.endpoint.split("/")[1]

    @property
    def path(self) -> str:
        """Return the path at the service."""
        return self.endpoint.removeprefix(f"/{self.service}")

    @property
    def query(self) -> str:
        """Return the query string of the call, "" for none."""
        return encoded(self.params or {})


class AllowedEndpointAttributes(Attributes):
    method: Method
    path: str
    service: str


class AnonymousAccessAttributes(Attributes):
    allowed_endpoints: list[AllowedEndpointAttributes]
    created_at: ContractDatetime
    expired_at: ContractDatetime
    last_modified_at: ContractDatetime
    user_id: UUID


class AnonymousAccessResource(Resource[AnonymousAccessAttributes]):
    type: Literal["anonymous-accesses"] = "anonymous-accesses"


class AnonymousAccessDocument(Single[AnonymousAccessResource]):
    """Answers POST, GET and PATCH of an anonymous access."""


class ProxyResult(Attributes):
    """Answers a call: the status and the JSON of the other service."""

    json_: JsonObject | None = None
    status_code: int
