"""Roles of organizations: /v1/roles/ (semantics 10, ruling A9)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.documents.common import Attributes, Listing, Resource
from api.documents.envelope import ActionRequest
from api.documents.fields import Omittable, Text255, UuidText
from api.documents.parameters import Parameters
from api.documents.people.user_references import UserReference


class RoleListQuery(Parameters):
    """GET /v1/roles/: not paged (ruling D4)."""

    name: Annotated[Omittable[Text255], Field(alias="filter[name]")] = None
    organization_id: Omittable[UuidText] = None


class AddRoleUser(ActionRequest[Literal["roles"], UserReference]):
    """POST /v1/roles/{id}/add-user/; the answer is null."""


class RemoveRoleUser(ActionRequest[Literal["roles"], UserReference]):
    """POST /v1/roles/{id}/remove-user/; the answer is null."""


class RoleOrganization(Attributes):
    display_name: str
    id: UUID
    name: str


class RoleAttributes(Attributes):
    display_name: str
    name: str
    organization: RoleOrganization
    organization_id: UUID


class RoleResource(Resource[RoleAttributes]):
    type: Literal["roles"] = "roles"


class RoleList(Listing[RoleResource]):
    """Answers GET /v1/roles/."""
