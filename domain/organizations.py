"""Organizations: care providers, their settings and who may hand out what in them."""

from uuid import UUID

from eventsourcing.domain import event

from domain.audited import Audited
from domain.errors import NotFound


class OrganizationNotFound(NotFound):
    detail = "There is no such organization, or you may not see it."


class Organization(Audited):
    TOPIC = "organization"

    name: str
    display_name: str
    classification: str
    provider_type: str
    timezone: str
    theme_id: UUID | None
    authorization_type: str
    active: bool

    class Created(Audited.Created):
        TOPIC = "organization.created"
        name: str
        display_name: str
        classification: str
        provider_type: str
        timezone: str
        authorization_type: str

    class Described(Audited.Event):
        """The descriptive settings, all of them, as they are from now on."""

        TOPIC = "organization.described"
        name: str
        display_name: str
        classification: str
        provider_type: str
        timezone: str
        theme_id: UUID | None

    class AuthorizationTypeChanged(Audited.Event):
        TOPIC = "organization.authorization-type-changed"
        authorization_type: str

    class Activated(Audited.Event):
        TOPIC = "organization.activated"

    class Deactivated(Audited.Event):
        TOPIC = "organization.deactivated"

    @event(Created)
    def __init__(
        self,
        name: str,
        display_name: str,
        classification: str,
        provider_type: str,
        timezone: str,
        authorization_type: str,
    ) -> None:
        self.name = name
        self.display_name = display_name
        self.classification = classification
        self.provider_type = provider_type
        self.timezone = timezone
        self.authorization_type = authorization_type
        self.theme_id = None
        self.active = True

    @event(Described)
    def _described(
        self,
        name: str,
        display_name: str,
        classification: str,
        provider_type: str,
        timezone: str,
        theme_id: UUID | None,
    ) -> None:
        self.name = name
        self.display_name = display_name
        self.classification = classification
        self.provider_type = provider_type
        self.timezone = timezone
        self.theme_id = theme_id

    @event(AuthorizationTypeChanged)
    def _authorization_type_changed(self, authorization_type: str) -> None:
        self.authorization_type = authorization_type

    @event(Activated)
    def _activated(self) -> None:
        self.active = True

    @event(Deactivated)
    def _deactivated(self) -> None:
        self.active = False
