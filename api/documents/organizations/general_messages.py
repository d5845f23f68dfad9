"""General messages: /v1/organization-general-messages/ (semantics 10, rulings L53, L62, L63)."""

from typing import ClassVar, Literal
from uuid import UUID

from api.documents.common import Listing, Resource, Single, Strict
from api.documents.envelope import CreateRequest, UpdateRequest
from api.documents.fields import MessageText, Omittable, UuidText
from api.documents.records import RecordListQuery, Times
from domain.core.locales import Locale

MessageName = Literal["contact"]


class GeneralMessageListQuery(RecordListQuery):
    """GET /v1/organization-general-messages/."""

    EQUAL: ClassVar = ("organization_id",)

    organization_id: UuidText


class GeneralMessageToCreate(Strict):
    organization_id: UuidText
    name: MessageName
    locale: Locale
    message: MessageText


class CreateGeneralMessage(CreateRequest[Literal["organization-general-messages"], GeneralMessageToCreate]):
    """POST /v1/organization-general-messages/."""


class GeneralMessageChanges(Strict):
    """`given()` tells whether it was sent."""

    message: Omittable[MessageText] = None


class UpdateGeneralMessage(UpdateRequest[Literal["organization-general-messages"], GeneralMessageChanges]):
    """PATCH /v1/organization-general-messages/{id}/."""


class GeneralMessageAttributes(Times):
    locale: Locale
    message: str
    name: MessageName
    organization_id: UUID


class GeneralMessageResource(Resource[GeneralMessageAttributes]):
    type: Literal["organization-general-messages"] = "organization-general-messages"


class GeneralMessageDocument(Single[GeneralMessageResource]):
    """Answers creation, detail and PATCH."""


class GeneralMessageList(Listing[GeneralMessageResource]):
    """Answers GET /v1/organization-general-messages/."""
