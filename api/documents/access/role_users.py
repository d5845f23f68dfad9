"""Who holds a role: /v1/role-users/ (semantics 10, ruling I9)."""

from typing import Literal
from uuid import UUID

from api.documents.common import Attributes, Listing, Single
from api.documents.envelope import CreateRequest
from api.documents.fields import UuidText
from api.documents.parameters import Page
from api.documents.people.user_references import UserReference


class RoleUserListQuery(Page):
    """GET /v1/role-users/."""

    role_id: UuidText


class RoleUserToCreate(UserReference):
    role_id: UuidText


class CreateRoleUser(CreateRequest[Literal["role-users"], RoleUserToCreate]):
    """POST /v1/role-users/."""


class HeldRole(Attributes):
    id: UUID
    name: str


class RoleHolder(Attributes):
    email: str | None = None
    id: UUID


class RoleUserAttributes(Attributes):
    role: HeldRole
    user: RoleHolder


class RoleUserResource(Attributes):
    """The id is a number, never used again."""

    attributes: RoleUserAttributes
    id: int
    type: Literal["role-users"] = "role-users"


class RoleUserDocument(Single[RoleUserResource]):
    """Answers POST /v1/role-users/."""


class RoleUserList(Listing[RoleUserResource]):
    """Answers GET /v1/role-users/."""
