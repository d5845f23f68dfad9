"""Users: acting principals, people and service accounts, their account states and organizations."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from eventsourcing.domain import event

from domain.audited import Audited
from domain.errors import AlreadyExists, Forbidden, InvalidState, NotFound
from domain.personal import Personal, revealed

Kind = Literal["person", "service"]
STAFF = "carium"
"""The classification of the platform operator's own organization and people."""


class UserNotFound(NotFound):
    detail = "There is no such user, or you may not see it."


class UserArchived(InvalidState):
    detail = "The user is archived."


class IdentifierTaken(AlreadyExists):
    detail = "Somebody has this e-mail address, phone number or user name."


class NotYourself(InvalidState):
    detail = "You cannot disable yourself."


class NotYourProvider(Forbidden):
    detail = "Only providers all of whose organizations you administer."


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
    communication_preferences: Personal | None
    organizations: dict[UUID, datetime]
    former_organizations: dict[UUID, datetime]
    default_organization_id: UUID | None
    further_individuals: list[UUID]

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

    class PasswordRehashed(Audited.Event):
        """The same password, hashed as dearly as the settings ask for now."""

        TOPIC = "user.password-rehashed"
        password_hash: Personal

    class CommunicationPreferencesSet(Audited.Event):
        """All of them, as JSON: an object per channel."""

        TOPIC = "user.communication-preferences-set"
        preferences: Personal

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

        def apply(self, aggregate: Any) -> None:
            # not in a decorated body: `modified_on` is still that of the event before, there
            aggregate.organizations[self.organization_id] = self.timestamp

    class LeftOrganization(Audited.Event):
        """Sessions whose current organization it is end with it."""

        TOPIC = "user.left-organization"
        organization_id: UUID

    class DefaultOrganizationChanged(Audited.Event):
        TOPIC = "user.default-organization-changed"
        organization_id: UUID | None

    class TookOnIndividual(Audited.Event):
        """He owns one more beside his primary individual: told here, because a provider has one only."""

        TOPIC = "user.took-on-individual"
        individual_id: UUID

    class GaveUpIndividual(Audited.Event):
        """It has another owner."""

        TOPIC = "user.gave-up-individual"
        individual_id: UUID

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
        self.communication_preferences = None
        self.organizations = {}
        self.former_organizations = {}
        self.default_organization_id = None
        self.further_individuals = []

    @classmethod
    def create(
        cls,
        user_id: UUID,
        *,
        classification: str,
        individual_id: UUID | None,
        kind: Kind = "person",
        email: str | None = None,
        phone: str | None = None,
        username: str | None = None,
    ) -> "User":
        """A user without credentials."""
        return cls._create(
            cls.Created,
            id=user_id,
            kind=kind,
            classification=classification,
            individual_id=individual_id,
            email=_personal(user_id, email),
            phone=_personal(user_id, phone),
            username=_personal(user_id, username),
            first_name=None,
            last_name=None,
        )

    @property
    def login_name(self) -> str | None:
        """What the contract calls `username`: the one chosen, else the e-mail address, else the phone number."""
        return revealed(self.username) or revealed(self.email) or revealed(self.phone)

    @property
    def individuals(self) -> list[UUID]:
        """Those that he owns, his primary one first, which is an organization's until he has claimed it."""
        return ([] if self.individual_id is None else [self.individual_id]) + self.further_individuals

    @property
    def current_organization(self) -> UUID | None:
        """Where a new session starts: the default if still a member, else the oldest membership (ruling C5)."""
        if self.default_organization_id in self.organizations:
            return self.default_organization_id
        return next(iter(self.organizations), None)

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

    @property
    def staff(self) -> bool:
        """Whether he is one of the platform operator's own people."""
        return self.classification == STAFF

    def set_password(self, password_hash: str) -> None:
        """From now on this is the password; a first one makes the user registered."""
        self._refuse_archived()
        self._password_set(Personal(self.id, password_hash))

    def rehash_password(self, password_hash: str) -> None:
        self._password_rehashed(Personal(self.id, password_hash))

    def prefer_communication(self, preferences: str) -> None:
        """`preferences` is a JSON object with an object per channel."""
        self._refuse_archived()
        if revealed(self.communication_preferences) != preferences:
            self._communication_preferences_set(Personal(self.id, preferences))

    def confirm(self, *, email_verified: bool = False) -> None:
        self._refuse_archived()
        if not self.confirmed:
            self._confirmed(email_verified)

    def disable(self) -> None:
        self._refuse_archived()
        if self.enabled:
            self._disabled()

    def enable(self) -> None:
        self._refuse_archived()
        if not self.enabled:
            self._enabled()

    def join(self, organization_id: UUID) -> None:
        self._refuse_archived()
        if organization_id not in self.organizations:
            self._joined_organization(organization_id)

    def leave(self, organization_id: UUID) -> None:
        """Out of the organization; the default organization falls to the oldest other one, or none."""
        if organization_id in self.organizations:
            self._left_organization(organization_id)
            if self.default_organization_id == organization_id:
                self._default_organization_changed(self.current_organization)

    def take_on(self, individual_id: UUID) -> None:
        """He owns the individual from now on."""
        if individual_id not in self.individuals:
            self._took_on_individual(individual_id)

    def give_up(self, individual_id: UUID) -> None:
        if individual_id in self.further_individuals:
            self._gave_up_individual(individual_id)

    def _refuse_archived(self) -> None:
        if self.archived:
            raise UserArchived

    @event(PasswordSet)
    def _password_set(self, password_hash: Personal) -> None:
        self.password_hash = password_hash

    @event(PasswordRehashed)
    def _password_rehashed(self, password_hash: Personal) -> None:
        self.password_hash = password_hash

    @event(CommunicationPreferencesSet)
    def _communication_preferences_set(self, preferences: Personal) -> None:
        self.communication_preferences = preferences

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

    def _joined_organization(self, organization_id: UUID) -> None:
        self.trigger_event(self.JoinedOrganization, organization_id=organization_id)

    @event(LeftOrganization)
    def _left_organization(self, organization_id: UUID) -> None:
        self.former_organizations[organization_id] = self.organizations.pop(organization_id)

    @event(DefaultOrganizationChanged)
    def _default_organization_changed(self, organization_id: UUID | None) -> None:
        self.default_organization_id = organization_id

    @event(TookOnIndividual)
    def _took_on_individual(self, individual_id: UUID) -> None:
        self.further_individuals.append(individual_id)

    @event(GaveUpIndividual)
    def _gave_up_individual(self, individual_id: UUID) -> None:
        self.further_individuals.remove(individual_id)


def _personal(user_id: UUID, value: str | None) -> Personal | None:
    return None if value is None else Personal(user_id, value)
