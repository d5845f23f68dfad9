"""General messages of organizations: plain texts that applications show to their people (rulings L53, L63)."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.core.errors import AlreadyExists
from domain.core.records import Record, RecordChanged, RecordCreated, RecordDeleted


class GeneralMessageExists(AlreadyExists, argument="name"):
    """The organization has a message of this name in this locale already."""


@dataclass(frozen=True)
class GeneralMessageFields:
    """The fields of a general message. It never belongs to a theme."""

    theme_id: ClassVar[None] = None

    organization_id: UUID
    name: str
    locale: str
    message: str


class GeneralMessage(Record[GeneralMessageFields]):
    """A general message of an organization."""

    TOPIC = "general-message"

    class Created(RecordCreated):
        """A general message was created."""

        TOPIC = "general-message.created"
        fields: GeneralMessageFields

    class Changed(RecordChanged):
        """The general message was changed."""

        TOPIC = "general-message.changed"
        fields: GeneralMessageFields

    class Deleted(RecordDeleted):
        """The general message was deleted."""

        TOPIC = "general-message.deleted"
