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
"""By type: what a template may hold beside what all may, and must hold one of."""


class SmsTemplateExists(AlreadyExists):
    """The organization or theme has a template of that type in that locale."""

    argument = "type"


@dataclass(frozen=True)
class SmsTemplateFields:
    """Exactly one of `organization_id` and `theme_id` is set."""

    organization_id: UUID | None
    theme_id: UUID | None
    type: str
    locale: str
    template: str


class SmsTemplate(Record[SmsTemplateFields]):
    TOPIC = "sms-template"

    class Created(RecordCreated):
        TOPIC = "sms-template.created"
        fields: SmsTemplateFields

    class Changed(RecordChanged):
        TOPIC = "sms-template.changed"
        fields: SmsTemplateFields

    class Deleted(RecordDeleted):
        TOPIC = "sms-template.deleted"

    def require_valid(self) -> None:
        """Raise Invalid as `require_valid_sms` does."""
        require_valid_sms(self.fields)


def require_valid_sms(fields: SmsTemplateFields) -> None:
    """Raise Invalid for placeholders that the type does not have, or without the code or link that it needs."""
    placeholders = PLACEHOLDERS[fields.type]
    require_placeholders(fields.template, placeholders, argument="template", one_of=placeholders)
