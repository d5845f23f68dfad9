"""General messages of organizations: plain texts that people see beside an organization (rulings L53, L63)."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.core.errors import AlreadyExists
from domain.core.records import Record, RecordChanged, RecordCreated, RecordDeleted


class GeneralMessageExists(AlreadyExists):
    """The organization has a message of that name in that locale."""

    argument = "name"


@dataclass(frozen=True)
class GeneralMessageFields:
    theme_id: ClassVar[None] = None

    organization_id: UUID
    name: str
    locale: str
    message: str


class GeneralMessage(Record[GeneralMessageFields]):
    TOPIC = "general-message"

    class Created(RecordCreated):
        TOPIC = "general-message.created"
        fields: GeneralMessageFields

    class Changed(RecordChanged):
        TOPIC = "general-message.changed"
        fields: GeneralMessageFields

    class Deleted(RecordDeleted):
        TOPIC = "general-message.deleted"
