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
"""The placeholders of each type, in addition to those of all types."""


class EmailTemplateExists(AlreadyExists, argument="type"):
    """The organization or theme has a template of this type, locale and format already."""


@dataclass(frozen=True)
class EmailTemplateFields:
    """The fields of an e-mail template.

    Exactly one of `organization_id` and `theme_id` is set, or neither for a default text. `format` is "html" or "txt".
    """

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
    """A template for the e-mails of an organization or of a theme's organizations."""

    TOPIC = "email-template"

    class Created(RecordCreated):
        """An e-mail template was created."""

        TOPIC = "email-template.created"
        fields: EmailTemplateFields

    class Changed(RecordChanged):
        """The e-mail template was changed."""

        TOPIC = "email-template.changed"
        fields: EmailTemplateFields

    class Deleted(RecordDeleted):
        """The e-mail template was deleted."""

        TOPIC = "email-template.deleted"

    def require_valid(self) -> None:
        """Raise Invalid when the texts have placeholders of other types, or lack the code or link of their type."""
        require_valid_email(self.fields)


def require_valid_email(fields: EmailTemplateFields) -> None:
    """Raise Invalid for placeholders that the type does not have, or without the code or link that it needs."""
    placeholders = PLACEHOLDERS.get(fields.type, frozenset())  # none for notices, which are no templates
    needed = () if placeholders is MESSAGE else placeholders
    require_placeholders(fields.template, placeholders, argument="template", one_of=needed)
    require_placeholders(fields.subject, placeholders, argument="subject")
