"""Text message templates of organizations and themes (semantics 10, rulings L49 to L55)."""

from dataclasses import dataclass
from uuid import UUID

from domain.core.errors import AlreadyExists
from domain.core.records import Record, RecordChanged, RecordCreated, RecordDeleted
from domain.organizations.placeholders import CODE, CODE_AND_LINK, require_placeholders

PLACEHOLDERS = {
    "onboarding": CODE_AND_LINK,
    "onboarding-provider": CODE_AND_LINK,
    "reset-password": CODE,
    "verify": CODE,
}
"""The placeholders of each type, in addition to those of all types. A template must contain one of them."""


class SmsTemplateExists(AlreadyExists, argument="type"):
    """The organization or theme has a template of this type in this locale already."""


@dataclass(frozen=True)
class SmsTemplateFields:
    """The fields of a text message template.

    Exactly one of `organization_id` and `theme_id` is set, or neither for a default text.
    """

    organization_id: UUID | None
    theme_id: UUID | None
    type: str
    locale: str
    template: str


class SmsTemplate(Record[SmsTemplateFields]):
    """A template for the text messages of an organization or of a theme's organizations."""

    TOPIC = "sms-template"

    class Created(RecordCreated):
        """A text message template was created."""

        TOPIC = "sms-template.created"
        fields: SmsTemplateFields

    class Changed(RecordChanged):
        """The text message template was changed."""

        TOPIC = "sms-template.changed"
        fields: SmsTemplateFields

    class Deleted(RecordDeleted):
        """The text message template was deleted."""

        TOPIC = "sms-template.deleted"

    def require_valid(self) -> None:
        """Raise Invalid when the text has placeholders of other types, or lacks the code or link of its type."""
        require_valid_sms(self.fields)


def require_valid_sms(fields: SmsTemplateFields) -> None:
    """Raise Invalid for placeholders that the type does not have, or without the code or link that it needs."""
    placeholders = PLACEHOLDERS[fields.type]
    require_placeholders(fields.template, placeholders, argument="template", one_of=placeholders)
