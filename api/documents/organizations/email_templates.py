"""E-mail templates: /v1/organization-email-templates/ (semantics 10, rulings L53 to L55, L62)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from api.documents.addresses import EmailText
from api.documents.common import Listing, Resource, Single, Strict
from api.documents.envelope import CreateRequest, UpdateRequest
from api.documents.fields import MailboxName, MailSubject, Omittable, TemplateText
from api.documents.organizations.templates import (
    OrganizationOrTheme,
    TemplateAttributes,
    TemplateChanges,
    TemplateListQuery,
)

EmailType = Literal["forgot-password", "messaging-patient", "messaging-provider", "onboarding", "onboarding-provider",
                    "reverify-email", "verify-email"]  # fmt: skip
EmailFormat = Literal["html", "txt"]


class EmailTemplateListQuery(TemplateListQuery):
    """GET /v1/organization-email-templates/."""

    EQUAL: ClassVar = ("organization_id", "theme_id", "type", "locale", "format")

    type: Annotated[Omittable[EmailType], Field(alias="filter[type]")] = None
    format: Annotated[Omittable[EmailFormat], Field(alias="filter[format]")] = None


class SupportContact(Strict):
    """The address that a message names for questions; null means that it names the one of the theme."""

    support_email: EmailText | None = None
    support_email_title: MailboxName | None = None


class EmailTemplateToCreate(OrganizationOrTheme, SupportContact):
    type: EmailType
    format: EmailFormat
    subject: MailSubject
    template: TemplateText


class CreateEmailTemplate(CreateRequest[Literal["organization-email-templates"], EmailTemplateToCreate]):
    """POST /v1/organization-email-templates/."""


class EmailTemplateChanges(TemplateChanges, SupportContact):
    """What is to change; `given()` tells which were sent."""

    type: Omittable[EmailType] = None
    format: Omittable[EmailFormat] = None
    subject: Omittable[MailSubject] = None
    template: Omittable[TemplateText] = None


class UpdateEmailTemplate(UpdateRequest[Literal["organization-email-templates"], EmailTemplateChanges]):
    """PATCH /v1/organization-email-templates/{id}/."""


class EmailTemplateAttributes(TemplateAttributes):
    format: EmailFormat
    subject: str
    support_email: str | None
    support_email_title: str | None
    type: EmailType


class EmailTemplateResource(Resource[EmailTemplateAttributes]):
    type: Literal["organization-email-templates"] = "organization-email-templates"


class EmailTemplateDocument(Single[EmailTemplateResource]):
    """Answers creation, detail and PATCH."""


class EmailTemplateList(Listing[EmailTemplateResource]):
    """Answers GET /v1/organization-email-templates/."""
