"""Users: acting principals, people and service accounts, their account states and organizations."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from eventsourcing.domain import event

from domain.audited import Audited
from domain.errors import NotFound
from domain.personal import Personal

Kind = Literal["person", "service"]


class UserNotFound(NotFound):
    detail = "There is no such user, or you may not see it."


class User(Audited):
    """Facts are kept apart and `state` derives from them (semantics, section 3)."""

    TOPIC = "user"

    kind: Kind
    classification: str
    individual_id: UUID | None
    email: Personal | None
    phone: Personal | None
    username: Personal | None
    first_name: Personal | None
    last_name: Personal | None
    password_hash: Personal | None
    locale: str | None
    tz: str | None
    confirmed: bool
    email_verified: bool
    enabled: bool
    reset_required: bool
    archived: bool
    organizations: dict[UUID, datetime]
    default_organization_id: UUID | None

    class Created(Audited.Created):
        """`individual_id` is the primary individual, None for service accounts."""

        TOPIC = "user.created"
        kind: Kind
        classification: str
        individual_id: UUID | None
        email: Personal | None
        phone: Personal | None
        username: Personal | None
        first_name: Personal | None
        last_name: Personal | None

    class PasswordSet(Audited.Event):
        TOPIC = "user.password-set"
        password_hash: Personal

    class Confirmed(Audited.Event):
        """From now on the user may sign in; `email_verified` tells whether the address was verified by it."""

        TOPIC = "user.confirmed"
        email_verified: bool

    class Disabled(Audited.Event):
        """All sessions end with it."""

        TOPIC = "user.disabled"

    class Enabled(Audited.Event):
        TOPIC = "user.enabled"

    class JoinedOrganization(Audited.Event):
        TOPIC = "user.joined-organization"
        organization_id: UUID

    class LeftOrganization(Audited.Event):
        """Sessions whose current organization it is end with it."""

        TOPIC = "user.left-organization"
        organization_id: UUID

    class DefaultOrganizationChanged(Audited.Event):
        TOPIC = "user.default-organization-changed"
        organization_id: UUID | None

    @event(Created)
    def __init__(
        self,
        kind: Kind,
        classification: str,
        individual_id: UUID | None,
        email: Personal | None,
        phone: Personal | None,
        username: Personal | None,
        first_name: Personal | None,
        last_name: Personal | None,
    ) -> None:
        self.kind = kind
        self.classification = classification
        self.individual_id = individual_id
        self.email = email
        self.phone = phone
        self.username = username
        self.first_name = first_name
        self.last_name = last_name
        self.password_hash = None
        self.locale = None
        self.tz = None
        self.confirmed = False
        self.email_verified = False
        self.enabled = True
        self.reset_required = False
        self.archived = False
        self.organizations = {}
        self.default_organization_id = None

    @property
    def state(self) -> str:
        """The contract's account state."""
        if self.archived:
            return "archived"
        if not self.enabled:
            return "disabled" if self.confirmed else "registered_disabled"
        if self.confirmed:
            return "force_reset_password" if self.reset_required else "confirmed"
        return "registered" if self.password_hash else "init"

    @property
    def live(self) -> bool:
        """Whether any right of the user counts (semantics, 6.2: the gate)."""
        return self.state == "confirmed"

    @event(PasswordSet)
    def _password_set(self, password_hash: Personal) -> None:
        self.password_hash = password_hash

    @event(Confirmed)
    def _confirmed(self, email_verified: bool) -> None:
        self.confirmed = True
        self.email_verified = self.email_verified or email_verified

    @event(Disabled)
    def _disabled(self) -> None:
        self.enabled = False

    @event(Enabled)
    def _enabled(self) -> None:
        self.enabled = True

    @event(JoinedOrganization)
    def _joined_organization(self, organization_id: UUID) -> None:
        self.organizations[organization_id] = self.modified_on

    @event(LeftOrganization)
    def _left_organization(self, organization_id: UUID) -> None:
        del self.organizations[organization_id]

    @event(DefaultOrganizationChanged)
    def _default_organization_changed(self, organization_id: UUID | None) -> None:
        self.default_organization_id = organization_id
