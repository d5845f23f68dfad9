"""Who came into and went out of groups: /v1/individual-group-logs/ (semantics 5, rulings E9 and F6)."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from api.documents.common import Attributes, Listing, Resource
from api.documents.fields import EXTENSION, Omittable, UuidText, violation
from api.documents.parameters import Page
from api.documents.times import ContractDatetime


class GroupLogQuery(Page):
    """GET /v1/individual-group-logs/: at least one of the four ids; all that are given must hold."""

    also_individual_id: Annotated[Omittable[UuidText], Field(alias="filter[individual-id]")] = None
    individual_group_id: Omittable[UuidText] = None
    individual_id: Omittable[UuidText] = None
    organization_id: Omittable[UuidText] = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not any((self.also_individual_id, self.individual_group_id, self.individual_id, self.organization_id)):
            raise violation("individual-group-id", "missing")
        return self


class GroupLogAuthor(Attributes):
    id: UUID


class GroupLogAttributes(Attributes):
    """`individual-id` is the person's primary individual, `user-id` the user of a leader or member row."""

    created_by: GroupLogAuthor | None = None
    created_time: ContractDatetime
    event: Literal["add", "remove"]
    individual_group_id: UUID
    individual_id: UUID | None = None
    subject: Literal["individual", "leader", "member"]
    user_id: UUID | None = Field(default=None, json_schema_extra=EXTENSION)


class GroupLogResource(Resource[GroupLogAttributes]):
    type: Literal["individual-group-logs"] = "individual-group-logs"


class GroupLogList(Listing[GroupLogResource]):
    """Answers GET /v1/individual-group-logs/."""
