"""Users: acting principals, people and service accounts, their account states and organizations."""

from collections.abc import Collection, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, Forbidden, InvalidState, NotFound
from domain.core.personal import Personal, revealed, sealed
from domain.people.login_names import LoginName, LoginNames, NameKind, login_name

Kind = Literal["person", "service"]
STAFF = "carium"
"""The classification of the platform operator's own organization and people."""


class UserNotFound(NotFound):
    """There is no such user, or the caller may not see it."""


class UserArchived(InvalidState):
    detail = "The user is archived."


class IdentifierTaken(AlreadyExists):
    detail = "Somebody has this e-mail address, phone number or user name."


class ProvisionalUser(InvalidState):
    detail = "None of the user's contacts is verified: the user counts in one organization only."


class VerifiedUser(InvalidState):
    detail = "A contact of the user is verified: only the user replaces their credentials."


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
    names: LoginNames
    first_name: Personal | None
    last_name: Personal | None
    provisional_in: UUID | None
    password_hash: Personal | None = None
    locale: str | None = None
    tz: str | None = None
    confirmed: bool = False
    email_verified: bool = False
    phone_verified: bool = False
    enabled: bool = True
    reset_required: bool = False
    archived: bool = False
    communication_preferences: Personal | None = None
    organizations: dict[UUID, datetime] = field(default_factory=dict)
    former_organizations: dict[UUID, datetime] = field(default_factory=dict)
    default_organization_id: UUID | None = None
    further_individuals: list[UUID] = field(default_factory=list)

    class Created(Audited.Created):
        """`individual_id` is the primary individual, None for service accounts.

        `provisional_in` is the organization that made the user, in which alone they count until a contact is verified
        (ruling O1); None for those that a system administrator or a service vouches for.
        """

        TOPIC = "user.created"
        kind: Kind
        classification: str
        individual_id: UUID | None
        names: LoginNames
        first_name: Personal | None
        last_name: Personal | None
        provisional_in: UUID | None

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
        """From now on the user may sign in; the two flags tell which contacts were verified by it."""

        TOPIC = "user.confirmed"
        email_verified: bool
        phone_verified: bool

    class TakenOver(Audited.Event):
        """The person whom a contact reaches has taken over a provisional account (ruling O1).

        Password and names are these from now on, None for those that the user has no more. All sessions end with it.
        """

        TOPIC = "user.taken-over"
        password_hash: Personal | None
        names: LoginNames
        email_verified: bool
        phone_verified: bool

    class LoginNamesReleased(Audited.Event):
        """These of the user's names ("email", "phone", "username") are another user's from now on, who proved them."""

        TOPIC = "user.login-names-released"
        kinds: list[NameKind]

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

    class IndividualAcquired(Audited.Event):
        """He owns one more beside his primary individual: told here, because a provider has one only."""

        TOPIC = "user.individual-acquired"
        individual_id: UUID

    class IndividualReleased(Audited.Event):
        """It has another owner."""

        TOPIC = "user.individual-released"
        individual_id: UUID

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
        provisional_in: UUID | None = None,
    ) -> "User":
        """A user without credentials, provisional in an organization unless that is None."""
        return cls._create(
            cls.Created,
            id=user_id,
            kind=kind,
            classification=classification,
            individual_id=individual_id,
            names=LoginNames.of(user_id, email, phone, username),
            first_name=None,
            last_name=None,
            provisional_in=provisional_in,
        )

    @property
    def login_name(self) -> str | None:
        """What the contract calls `username`: the one chosen, else the e-mail address, else the phone number."""
        email, phone, username = self.names.revealed
        return username or email or phone

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
    def provisional(self) -> bool:
        """Whether the user counts in one organization only, because none of their contacts is verified (ruling O1)."""
        return self.provisional_in is not None and not (self.email_verified or self.phone_verified)

    @property
    def live(self) -> bool:
        """Whether any right of the user counts (semantics, 6.2: the gate)."""
        return self.state == "confirmed"

    def is_staff_of(self, organization_id: UUID) -> bool:
        """Whether the user is one of the operator's own people and a provider of the organization (ruling O4)."""
        return self.classification == STAFF and organization_id in self.organizations

    def set_password(self, password_hash: str) -> None:
        """From now on this is the password; a first one makes the user registered."""
        self._require_not_archived()
        self._password_set(Personal(self.id, password_hash))

    def rehash_password(self, password_hash: str) -> None:
        self._password_rehashed(Personal(self.id, password_hash))

    def prefer_communication(self, preferences: str) -> None:
        """`preferences` is a JSON object with an object per channel."""
        self._require_not_archived()
        if revealed(self.communication_preferences) != preferences:
            self._communication_preferences_set(Personal(self.id, preferences))

    def confirm(self, *, email_verified: bool = False, phone_verified: bool = False) -> None:
        self._require_not_archived()
        if not self.confirmed:
            self._confirmed(email_verified, phone_verified)

    def take_over(
        self,
        *,
        email: str | None,
        phone: str | None,
        username: str | None,
        password_hash: str | None,
        email_verified: bool = False,
        phone_verified: bool = False,
    ) -> None:
        """Hand a provisional account to the person whom a contact reaches: names and password become these.

        All sessions end. Without a password the user cannot sign in until one is set. Raises UserArchived; VerifiedUser
        for a confirmed user who is not provisional.
        """
        self._require_not_archived()
        if self.confirmed and not self.provisional:
            raise VerifiedUser
        names = LoginNames.of(self.id, email, phone, username)
        self._taken_over(sealed(self.id, password_hash), names, email_verified, phone_verified)

    def release_login_names(self, proved: Collection[LoginName]) -> None:
        """Give up those of the user's names that another user has proved to be theirs."""
        kinds: tuple[NameKind, ...] = ("email", "phone", "username")
        own = zip(kinds, self.names.revealed, strict=True)
        released = [kind for kind, value in own if value is not None and login_name(value) in proved]
        if released:
            self._login_names_released(released)

    def require_counting_in(self, organization_id: UUID, *, argument: str | None = None) -> None:
        """Raise ProvisionalUser when the user counts in another organization only."""
        if self.provisional and self.provisional_in != organization_id:
            raise ProvisionalUser(argument=argument)

    def disable(self) -> None:
        self._require_not_archived()
        if self.enabled:
            self._disabled()

    def enable(self) -> None:
        self._require_not_archived()
        if not self.enabled:
            self._enabled()

    def join(self, organization_id: UUID) -> None:
        self._require_not_archived()
        if organization_id not in self.organizations:
            self._joined_organization(organization_id)

    def leave(self, organization_id: UUID) -> None:
        """Out of the organization; the default organization falls to the oldest other one, or none."""
        if organization_id in self.organizations:
            self._left_organization(organization_id)
            if self.default_organization_id == organization_id:
                self._default_organization_changed(self.current_organization)

    def acquire_individual(self, individual_id: UUID) -> None:
        """He owns the individual from now on."""
        if individual_id not in self.individuals:
            self._individual_acquired(individual_id)

    def release_individual(self, individual_id: UUID) -> None:
        if individual_id in self.further_individuals:
            self._individual_released(individual_id)

    def _require_not_archived(self) -> None:
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
    def _confirmed(self, email_verified: bool, phone_verified: bool) -> None:
        self.confirmed = True
        self.email_verified = self.email_verified or email_verified
        self.phone_verified = self.phone_verified or phone_verified

    @event(TakenOver)
    def _taken_over(
        self, password_hash: Personal | None, names: LoginNames, email_verified: bool, phone_verified: bool
    ) -> None:
        self.password_hash = password_hash
        self.names = names
        self.email_verified, self.phone_verified = email_verified, phone_verified
        self.provisional_in = None
        self.reset_required = False

    @event(LoginNamesReleased)
    def _login_names_released(self, kinds: Sequence[NameKind]) -> None:
        self.names = replace(self.names, **dict.fromkeys(kinds))

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

    @event(IndividualAcquired)
    def _individual_acquired(self, individual_id: UUID) -> None:
        self.further_individuals.append(individual_id)

    @event(IndividualReleased)
    def _individual_released(self, individual_id: UUID) -> None:
        self.further_individuals.remove(individual_id)
