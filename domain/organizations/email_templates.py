"""E-mail templates of organizations and themes (semantics 10, rulings L49 to L55)."""

from dataclasses import dataclass
from uuid import UUID

from domain.core.errors import AlreadyExists
from domain.core.records import Record, RecordChanged, RecordCreated, RecordDeleted
from domain.organizations.placeholders import CODE, CODE_AND_LINK, MESSAGE, require_placeholders

PLACEHOLDERS = {
    "forgot-password": CODE,
    "messaging-patient": MESSAGE,
    "messaging-provider": MESSAGE,
    "onboarding": CODE_AND_LINK,
    "onboarding-provider": CODE_AND_LINK,
    "reverify-email": CODE,
    "verify-email": CODE,
}
"""By type: what a template may hold beside what all may."""


class EmailTemplateExists(AlreadyExists):
    """The organization or theme has a template of that type, locale and format."""

    argument = "type"


@dataclass(frozen=True)
class EmailTemplateFields:
    """Exactly one of `organization_id` and `theme_id` is set; `format` is "html" or "txt"."""

    organization_id: UUID | None
    theme_id: UUID | None
    type: str
    locale: str
    format: str
    subject: str
    template: str
    support_email: str | None = None
    support_email_title: str | None = None


class EmailTemplate(Record[EmailTemplateFields]):
    TOPIC = "email-template"

    class Created(RecordCreated):
        TOPIC = "email-template.created"
        fields: EmailTemplateFields

    class Changed(RecordChanged):
        TOPIC = "email-template.changed"
        fields: EmailTemplateFields

    class Deleted(RecordDeleted):
        TOPIC = "email-template.deleted"

    def require_valid(self) -> None:
        """Raise Invalid as `require_valid_email` does."""
        require_valid_email(self.fields)


def require_valid_email(fields: EmailTemplateFields) -> None:
    """Raise Invalid for placeholders that the type does not have, or without the code or link that it needs."""
    placeholders = PLACEHOLDERS[fields.type]
    needed = () if placeholders is MESSAGE else placeholders
    require_placeholders(fields.template, placeholders, argument="template", one_of=needed)
    require_placeholders(fields.subject, placeholders, argument="subject")
