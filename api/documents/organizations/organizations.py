"""Organizations: /v1/organizations/ (semantics 10, rulings I2, I3, G14 and E10)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool

from api.documents.common import Attributes, Listing, Resource, Single, Strict
from api.documents.envelope import ActionRequest, CreateRequest, UpdateRequest
from api.documents.fields import EXTENSION, DisplayName, Omittable, Slug, Text64, Text255, UuidText
from api.documents.parameters import Decimal, Flag, PageOffset, Parameters, StrictBounds
from api.documents.people.people import Classification
from api.documents.people.user_references import UserReference
from api.documents.times import ContractDatetime, Timezone

AuthorizationType = Literal["open", "restricted"]


class OrganizationListQuery(Parameters):
    """GET /v1/organizations/: bounds as everywhere, though the contract states none (ruling D5)."""

    modified: Annotated[StrictBounds, Field(alias="filter[cmp-last-modified-time]")] = ()
    include_inactive: Annotated[Flag, Field(alias="filter[include-inactive]")] = False
    name: Annotated[Omittable[Text255], Field(alias="filter[name]")] = None
    name_contains: Annotated[Omittable[Text255], Field(alias="filter[name][contains]")] = None
    page_limit: Annotated[int, Field(ge=1, le=1000, alias="page[limit]"), Decimal] = 25
    page_offset: PageOffset = 0


class OrganizationToCreate(Strict):
    """`display-name` is the name when it is not given."""

    name: Slug
    display_name: Omittable[DisplayName] = None
    classification: Classification = "customer"
    provider_type: Text64 = "coach"
    timezone: Timezone = "UTC"


class CreateOrganization(CreateRequest[Literal["organizations"], OrganizationToCreate]):
    """POST /v1/organizations/."""


class OrganizationChanges(Strict):
    """What is to change; `given()` tells which were sent. `theme-id` null takes the theme away."""

    authorization_type: Omittable[AuthorizationType] = None
    classification: Omittable[Classification] = None
    display_name: Omittable[DisplayName] = None
    is_active: Annotated[Omittable[StrictBool], Field(json_schema_extra=EXTENSION)] = None
    name: Omittable[Slug] = None
    provider_type: Omittable[Text64] = None
    theme_id: UuidText | None = None
    timezone: Omittable[Timezone] = None


class UpdateOrganization(UpdateRequest[Literal["organizations"], OrganizationChanges]):
    """PATCH /v1/organizations/{id}/."""


class OrganizationUserToAdd(UserReference):
    role_id: Omittable[UuidText] = None


class AddOrganizationUser(ActionRequest[Literal["organizations"], OrganizationUserToAdd]):
    """POST /v1/organizations/{id}/add-user/; the answer is null."""


class RemoveOrganizationUser(ActionRequest[Literal["organizations"], UserReference]):
    """POST /v1/organizations/{id}/remove-user/; the answer is null."""


class OrganizationAttributes(Attributes):
    """Participants get the display attributes only: the others are null for them (ruling E10)."""

    authorization_type: AuthorizationType | None = None
    classification: Classification | None = None
    display_name: str
    is_active: bool
    last_modified_time: ContractDatetime | None = None
    logo_ready_to_use: bool
    name: str
    provider_type: str | None = None
    theme_id: UUID | None = None
    timezone: str | None = None


class OrganizationResource(Resource[OrganizationAttributes]):
    type: Literal["organizations"] = "organizations"


class OrganizationDocument(Single[OrganizationResource]):
    """Answers creation, detail and PATCH."""


class OrganizationList(Listing[OrganizationResource]):
    """Answers GET /v1/organizations/."""
