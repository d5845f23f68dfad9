"""Text message templates: /v1/organization-sms-templates/ (semantics 10, rulings L53 to L55, L62)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from api.documents.common import Listing, Resource, Single
from api.documents.envelope import CreateRequest, UpdateRequest
from api.documents.fields import Omittable, SmsText
from api.documents.organizations.templates import (
    OrganizationOrTheme,
    TemplateAttributes,
    TemplateChanges,
    TemplateListQuery,
)

SmsType = Literal["onboarding", "onboarding-provider", "reset-password", "verify"]


class SmsTemplateListQuery(TemplateListQuery):
    """GET /v1/organization-sms-templates/."""

    EQUAL: ClassVar = ("organization_id", "theme_id", "type", "locale")

    type: Annotated[Omittable[SmsType], Field(alias="filter[type]")] = None


class SmsTemplateToCreate(OrganizationOrTheme):
    type: SmsType
    template: SmsText


class CreateSmsTemplate(CreateRequest[Literal["organization-sms-templates"], SmsTemplateToCreate]):
    """POST /v1/organization-sms-templates/."""


class SmsTemplateChanges(TemplateChanges):
    """What is to change; `given()` tells which were sent."""

    type: Omittable[SmsType] = None
    template: Omittable[SmsText] = None


class UpdateSmsTemplate(UpdateRequest[Literal["organization-sms-templates"], SmsTemplateChanges]):
    """PATCH /v1/organization-sms-templates/{id}/."""


class SmsTemplateAttributes(TemplateAttributes):
    type: SmsType


class SmsTemplateResource(Resource[SmsTemplateAttributes]):
    type: Literal["organization-sms-templates"] = "organization-sms-templates"


class SmsTemplateDocument(Single[SmsTemplateResource]):
    """Answers creation, detail and PATCH."""


class SmsTemplateList(Listing[SmsTemplateResource]):
    """Answers GET /v1/organization-sms-templates/."""
