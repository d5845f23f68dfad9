"""Which services hold a copy of a user: /v1/user-replications/ (semantics 11, ruling I10)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from api.documents.common import Attributes, Listing, Resource, Single, Strict
from api.documents.envelope import CreateRequest
from api.documents.fields import UuidText
from api.documents.parameters import Page
from api.documents.times import ContractDatetime

Service = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9-]{1,64}$")]


class UserReplicationListQuery(Page):
    """GET /v1/user-replications/."""

    user_id: UuidText


class UserReplicationToCreate(Strict):
    service: Service
    user_id: UuidText


class CreateUserReplication(CreateRequest[Literal["user-replications"], UserReplicationToCreate]):
    """POST /v1/user-replications/."""


class UserReplicationAttributes(Attributes):
    created_time: ContractDatetime
    service: str
    user_id: UUID


class UserReplicationResource(Resource[UserReplicationAttributes]):
    type: Literal["user-replications"] = "user-replications"


class UserReplicationDocument(Single[UserReplicationResource]):
    """Answers POST /v1/user-replications/."""


class UserReplicationList(Listing[UserReplicationResource]):
    """Answers GET /v1/user-replications/."""
