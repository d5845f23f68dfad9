"""Impersonation requests: /v1/impersonation-requests/ (semantics 7, rulings K128 and K129)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictInt

from api.documents.common import Attributes, Listing, Resource, Single, Strict
from api.documents.envelope import CreateRequest
from api.documents.fields import Omittable, Text255, UuidText
from api.documents.parameters import Parameters
from api.documents.sessions.sessions import Impersonator, LoginTokens
from api.documents.times import ContractDatetime
from domain.sessions.impersonation_requests import MAX_IMPERSONATION_SECONDS, RequestState
from domain.sessions.sessions import MAX_ACCESS_SECONDS


class ImpersonationRequestListQuery(Parameters):
    """GET /v1/impersonation-requests/."""

    created_by: Annotated[Omittable[UuidText], Field(alias="filter[created-by]")] = None
    user_email: Annotated[Omittable[Text255], Field(alias="filter[user-email]")] = None
    user_id: Annotated[Omittable[UuidText], Field(alias="filter[user-id]")] = None


class ImpersonationRequestToCreate(Strict):
    user_id: UuidText


class CreateImpersonationRequest(CreateRequest[Literal["impersonation-requests"], ImpersonationRequestToCreate]):
    """POST /v1/impersonation-requests/."""


class Impersonate(Strict):
    """POST /v1/impersonation-requests/{id}/impersonate/; the body may be left out. 0 asks for the maximum."""

    access_token_expiration_seconds: Annotated[StrictInt, Field(ge=0, le=MAX_ACCESS_SECONDS)] = MAX_ACCESS_SECONDS
    refresh_token_expiration_seconds: Annotated[StrictInt, Field(ge=0, le=MAX_IMPERSONATION_SECONDS)] = (
        MAX_IMPERSONATION_SECONDS
    )


class UserRef(Attributes):
    email: str | None = None
    id: UUID


class ImpersonationRequestAttributes(Attributes):
    created_at: ContractDatetime
    created_by: UUID
    state: RequestState
    user: UserRef


class ImpersonationRequestResource(Resource[ImpersonationRequestAttributes]):
    type: Literal["impersonation-requests"] = "impersonation-requests"


class ImpersonationRequestDocument(Single[ImpersonationRequestResource]):
    """Answers POST, and GET of one request."""


class ImpersonationRequestList(Listing[ImpersonationRequestResource]):
    """Answers GET /v1/impersonation-requests/."""


class ImpersonationTokens(LoginTokens):
    """Answers impersonate."""

    impersonated_by: Impersonator
