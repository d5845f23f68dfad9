"""authz3: checks, accessible resources, accessors, status (semantics 6, rulings G1 to G16)."""

from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt
from pydantic_core import PydanticCustomError

from api.documents.common import Attributes, Meta, Resource, Single, Strict
from api.documents.fields import Ids, Items, Omittable, Parsed, SomeIds, Text10, Text255, UuidText, folded, without_nul
from api.documents.parameters import LARGEST_OFFSET, Flag, WidePage
from api.documents.times import ContractDatetime, DateText
from domain.access.queries import InvalidAccessQuery, parse
from domain.core.ports import AccessQuery


class SentQuery(NamedTuple):
    """An access query: the text as it was sent, which answers repeat, and what it asks."""

    text: str
    query: AccessQuery


def _sent_query(text: Any) -> SentQuery:
    if not isinstance(text, str):
        raise PydanticCustomError(InvalidAccessQuery.code, InvalidAccessQuery.detail)
    try:
        return SentQuery(text, parse(without_nul(text)))
    except InvalidAccessQuery as refusal:
        raise PydanticCustomError(refusal.code, refusal.detail) from None


AccessQueryText = Annotated[SentQuery, Parsed(_sent_query, max_length=256)]
AccessQueries = Annotated[tuple[AccessQueryText, ...], Items(least=1, most=50, made=tuple)]
Operation = Literal["read", "write"]


class ResourceAccess(Strict):
    """POST /v1/authz-resource-access/."""

    access_query: AccessQueries
    user_id: UuidText


class ResourceAccessAnswer(Attributes):
    allow: bool


class MultiUserAccess(Strict):
    access_query: AccessQueries
    individually: StrictBool = False
    user_ids: Ids


class BulkResourceAccess(Strict):
    """POST /v1/bulk-authz-resource-access/: queries are kept as sent, users answered once each (ruling G12)."""

    multi_user_ids: MultiUserAccess


class BulkResourceAccessRow(Attributes):
    access_query: list[str]
    allow: bool
    user_id: UUID


class BulkResourceAccessAnswer(Attributes):
    access_queries: list[BulkResourceAccessRow]


class AccessibleResources(Strict):
    """POST /v1/authz-get-accessible-resources/: the queries without an id share one type (semantics 6.3)."""

    access_query: AccessQueries
    user_id: UuidText
    organization_id: Omittable[UuidText] = None
    page_limit: Annotated[StrictInt, Field(ge=0, le=100_000, alias="page[limit]")] = 5000
    page_offset: Annotated[StrictInt, Field(ge=0, le=LARGEST_OFFSET, alias="page[offset]")] = 0


class ResourceIds(Attributes):
    """Answers authz-get-accessible-resources and authz-individuals."""

    meta: Meta
    resource_ids: list[UUID]


class IndividualsQuery(WidePage):
    """GET /v1/authz-individuals/: all filters must hold; text is compared without case."""

    operation: Operation
    user_id: UuidText
    account_type: Annotated[Omittable[Text10], Field(alias="filter[account-type]")] = None
    birth_date: Annotated[Omittable[DateText], Field(alias="filter[birth-date]")] = None
    email_verified: Annotated[Omittable[Flag], Field(alias="filter[email-verified]")] = None
    email: Annotated[Omittable[Text255], Field(alias="filter[email]")] = None
    exclude_owner_ids: Annotated[SomeIds, Field(alias="filter[exclude-owner-ids]")] = ()
    first_name: Annotated[Omittable[Text255], Field(alias="filter[first-name]")] = None
    group_id: Annotated[Omittable[UuidText], Field(alias="filter[group-id]")] = None
    leader_id: Annotated[Omittable[UuidText], Field(alias="filter[group-members-with-leader-id]")] = None
    last_name: Annotated[Omittable[Text255], Field(alias="filter[last-name]")] = None
    organization_id: Annotated[Omittable[UuidText], Field(alias="filter[organization-id]")] = None
    phone_verified: Annotated[Omittable[Flag], Field(alias="filter[phone-verified]")] = None
    phone: Annotated[Omittable[Text255], Field(alias="filter[phone]")] = None
    registered: Annotated[Omittable[Flag], Field(alias="filter[registered]")] = None


class AccessorsQuery(WidePage):
    """GET /v1/authz-resource-accessors/: users who may do it on all of the resources."""

    operation: Operation
    resource_id: Annotated[tuple[UuidText, ...], Items(least=1, most=50, made=folded)]
    resource_type: Literal["individual", "organization"]
    organization_id: Omittable[UuidText] = None


class Accessor(Attributes):
    id: UUID


class AccessorList(Attributes):
    """Answers GET /v1/authz-resource-accessors/."""

    data: list[Accessor]
    meta: Meta


class AccessStatusAttributes(Attributes):
    """How far (in event time) the answers about a user have got, and what there was to apply (semantics 6.4)."""

    last_populated_at: ContractDatetime | None = None
    latest_event_at: ContractDatetime | None = None
    up_to_date: bool


class AccessStatusResource(Resource[AccessStatusAttributes]):
    type: Literal["authz-user-status"] = "authz-user-status"


class AccessStatusDocument(Single[AccessStatusResource]):
    """Answers GET /v1/authz-user-status/{id}/."""
