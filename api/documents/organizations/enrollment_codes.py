"""Organization codes and what everybody may know of one (semantics 9, rulings K102 to K107)."""

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import StringConstraints

from api.documents.common import Attributes, Listing, Resource, Single, Strict
from api.documents.envelope import CreateRequest, UpdateRequest
from api.documents.fields import JsonObject, Omittable, Text255, UuidText
from api.documents.parameters import Flag, Page
from api.documents.people.users import AccountAttributes, UserState
from api.documents.records import RecordFilters
from api.documents.times import ContractDatetime, MomentText

Code = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{2,18}[A-Za-z0-9]$")]
"""4 to 20 letters, digits and hyphens, none of these at the edges."""


class OrganizationCodeListQuery(RecordFilters):
    """GET /v1/organization-codes/."""

    EQUAL: ClassVar = ("organization_id",)

    organization_id: Omittable[UuidText] = None


class OrganizationCodeChanges(Strict):
    """What is to change; `given()` tells which were sent. Null opens the code, or removes schema or group."""

    enrollment_schema: JsonObject | None = None
    expires_at: MomentText | None = None
    individual_group_id: UuidText | None = None


class OrganizationCodeToCreate(OrganizationCodeChanges):
    id: Code
    organization_id: UuidText


class CreateOrganizationCode(CreateRequest[Literal["organization-codes"], OrganizationCodeToCreate]):
    """POST /v1/organization-codes/."""


class UpdateOrganizationCode(UpdateRequest[Literal["organization-codes"], OrganizationCodeChanges]):
    """PATCH /v1/organization-codes/{id}/."""


class GroupReference(Attributes):
    id: UUID
    name: str | None


class OrganizationNames(Attributes):
    display_name: str
    id: UUID
    name: str


class OrganizationCodeAttributes(Attributes):
    enrollment_schema: dict[str, Any] | None
    expires_at: ContractDatetime | None
    individual_group: GroupReference | None
    organization: OrganizationNames
    sign_up_requests_count: int


class OrganizationCodeResource(Attributes):
    """`id` is the code as it was created."""

    attributes: OrganizationCodeAttributes
    id: str
    type: Literal["organization-codes"] = "organization-codes"


class OrganizationCodeDocument(Single[OrganizationCodeResource]):
    """Answers creation, detail and PATCH."""


class OrganizationCodeList(Listing[OrganizationCodeResource]):
    """Answers GET /v1/organization-codes/."""


class PublicOrganization(Attributes):
    """`logo-url` is null as long as organizations have no logos."""

    display_name: str
    logo_url: str | None = None
    name: str


class OrganizationCodeInfoAttributes(Attributes):
    enrollment_schema: dict[str, Any] | None
    organization: PublicOrganization


class OrganizationCodeInfoResource(Attributes):
    attributes: OrganizationCodeInfoAttributes
    id: str
    type: Literal["organization-code-info"] = "organization-code-info"


class OrganizationCodeInfoDocument(Single[OrganizationCodeInfoResource]):
    """Answers GET /v1/organization-code-info/{id}/."""


class CodeUserListQuery(Page):
    """GET /v1/organization-codes/{id}/users/."""

    email: Omittable[Text255] = None
    email_verified: Omittable[Flag] = None
    state: Omittable[UserState] = None
    text: Omittable[Text255] = None


class CodeUserResource(Resource[AccountAttributes]):
    type: Literal["organization-code-users"] = "organization-code-users"


class CodeUserList(Listing[CodeUserResource]):
    """Answers GET /v1/organization-codes/{id}/users/."""
