"""Memberships of providers: /v1/user-organizations/ (semantics 10)."""

from typing import Literal, Self
from uuid import UUID

from pydantic import model_validator

from api.documents.common import Attributes, Listing, Single, Strict
from api.documents.envelope import CreateRequest
from api.documents.fields import Omittable, UuidText, violation
from api.documents.parameters import Page


class UserOrganizationListQuery(Page):
    """GET /v1/user-organizations/: by user, by organization, or both."""

    organization_id: Omittable[UuidText] = None
    user_id: Omittable[UuidText] = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.organization_id is None and self.user_id is None:
            raise violation("user-id", "missing")
        return self


class UserOrganizationToCreate(Strict):
    organization_id: UuidText
    user_id: UuidText


class CreateUserOrganization(CreateRequest[Literal["user-organizations"], UserOrganizationToCreate]):
    """POST /v1/user-organizations/."""


class UserOrganizationAttributes(Attributes):
    """`organization-count` is in how many organizations the user is."""

    organization_count: int
    organization_display_name: str
    organization_id: UUID
    organization_name: str
    user_id: UUID


class UserOrganizationResource(Attributes):
    """The id is `<user-id>:<organization-id>`."""

    attributes: UserOrganizationAttributes
    id: str
    type: Literal["user-organizations"] = "user-organizations"


class UserOrganizationDocument(Single[UserOrganizationResource]):
    """Answers POST /v1/user-organizations/."""


class UserOrganizationList(Listing[UserOrganizationResource]):
    """Answers GET /v1/user-organizations/."""
