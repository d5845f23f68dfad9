"""Users: people and service accounts, their account states and their organizations."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, Conflict, InvalidState, NotFound
from domain.core.personal import Personal, revealed, sealed
from domain.people.login_names import ContactKind, LoginName, LoginNames, NameKind, parse_login_name
from domain.people.user_events import UserEvents
from domain.people.user_state import Kind, Profile, UserState


class UserNotFound(NotFound):
    """The user does not exist, or the caller may not see them."""


class UserArchived(InvalidState):
    """The user is archived."""


class IdentifierTaken(AlreadyExists):
    """Another user has this e-mail address, phone number or user name."""


class ProvisionalUser(InvalidState):
    """The user has no verified contact and therefore belongs to one organization only."""


class VerifiedUser(InvalidState):
    """The user has a verified contact; only they may replace their credentials."""


class LastContact(Conflict):
    """The contact is the user's login name or their only contact."""


class UnverifiedLoginName(Conflict):
    """The contact is not verified; only a verified contact can be the login name."""


class NotInOrganization(Conflict, code="not-in-organization"):
    """The user is not one of the organization's providers."""


class User(UserState, UserEvents):
    """A person or a service account."""

    TOPIC = "user"

    class Created(Audited.Created):
        """A user was created.

        `individual_id` is the primary individual, None for service accounts. `provisional_in` is the organization that
        created the user and to which they are limited until a contact is verified (ruling O1); it is None when a system
        administrator or a service vouches for the contacts.
        """

        TOPIC = "user.created"
        kind: Kind
        classification: str
        individual_id: UUID | None
        names: LoginNames
        first_name: Personal | None
        last_name: Personal | None
        provisional_in: UUID | None

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
        first_name: str | None = None,
        last_name: str | None = None,
        provisional_in: UUID | None = None,
    ) -> "User":
        """Return a new user without a password, provisional in an organization unless `provisional_in` is None."""
        return cls._create(
            cls.Created,
            id=user_id,
            kind=kind,
            classification=classification,
            individual_id=individual_id,
            names=LoginNames.of(user_id, email, phone, username),
            first_name=sealed(user_id, first_name),
            last_name=sealed(user_id, last_name),
            provisional_in=provisional_in,
        )

    def set_password(self, password_hash: str) -> None:
        """Replace the password; a first password makes the user registered. Raises UserArchived."""
        self._require_not_archived()
        self._password_set(Personal(self.id, password_hash))

    def change_password(self, password_hash: str, *, session_id: UUID, ends_others: bool) -> None:
        """Replace the password; the session `session_id` stays. Raises UserArchived."""
        self._require_not_archived()
        self._password_changed(Personal(self.id, password_hash), ends_others, session_id)

    def reset_password(self, password_hash: str) -> None:
        """Replace the password by one that was set with a code, and end all sessions. Raises UserArchived."""
        self._require_not_archived()
        self._password_reset(Personal(self.id, password_hash))

    def require_password_reset(self, password_hash: str, *, ends_sessions: bool) -> None:
        """Replace the password by one with which the user cannot log in. Raises InvalidState if not confirmed."""
        self._require_not_archived()
        if not self.confirmed:
            raise InvalidState
        self._password_reset_required(Personal(self.id, password_hash), ends_sessions)

    def change_profile(self, profile: Profile) -> None:
        """Replace the profile. Raises UserArchived."""
        self._require_not_archived()
        if profile != self.profile:
            names = (sealed(self.id, profile.first_name), sealed(self.id, profile.last_name))
            self._profile_changed(*names, profile.locale, profile.tz)

    def assume_region(self, *, locale: str | None = None, tz: str | None = None) -> None:
        """Record the locale or time zone that a client told, which count until the user chooses others."""
        assumed = locale or self.assumed_locale, tz or self.assumed_tz
        if assumed != (self.assumed_locale, self.assumed_tz):
            self._region_assumed(*assumed)

    def change_default_organization(self, organization_id: UUID | None) -> None:
        """Choose the organization of new sessions, None for the oldest. Raises UserArchived, NotInOrganization."""
        self._require_not_archived()
        if organization_id is not None and organization_id not in self.organizations:
            raise NotInOrganization(argument="default_organization_id")
        if organization_id != self.default_organization_id:
            self._default_organization_changed(organization_id)

    def change_contact(self, kind: ContactKind, contact: str | None) -> bool:
        """Replace the e-mail address or the phone number. Return whether that changed anything.

        Raises UserArchived; LastContact when it is removed although it is the login name or the only contact.
        """
        self._require_not_archived()
        email, phone, _ = self.names.revealed
        former, other = (email, phone) if kind == "email" else (phone, email)
        if contact == former or (contact and former and parse_login_name(contact) == parse_login_name(former)):
            return False
        if contact is None and (other is None or self.login_name == former):
            raise LastContact(argument=kind)
        self._contact_changed(kind, sealed(self.id, contact))
        return True

    def verify_contact(self, kind: ContactKind) -> None:
        """Record that the user reads the messages of the contact. Raises UserArchived."""
        self._require_not_archived()
        if not self.is_verified(kind):
            self._contact_verified(kind)

    def prove(self, kind: ContactKind) -> None:
        """Verify the contact whose code the user knows, and confirm a user who is not. Raises UserArchived."""
        if self.confirmed:
            self.verify_contact(kind)
        else:
            self.confirm(email_verified=kind == "email", phone_verified=kind == "phone")

    def choose_login_name(self, kind: ContactKind) -> None:
        """Let the user log in under a contact. Raises UserArchived; UnverifiedLoginName unless it is verified."""
        self._require_not_archived()
        if not self.is_verified(kind):
            raise UnverifiedLoginName(argument="username")
        if self.login_contact != kind or self.names.username is not None:
            self._login_name_chosen(kind)

    def choose_login_names(self, names: LoginNames, login_contact: ContactKind | None = None) -> None:
        """Replace all login names, of a user who signs up. Raises UserArchived."""
        self._require_not_archived()
        if (names, login_contact) != (self.names, self.login_contact):
            self._login_names_chosen(names, login_contact)

    def undo_registration(self, names: LoginNames) -> None:
        """Take the password away, and replace all login names, of a user whom nobody has confirmed.

        Raises UserArchived, VerifiedUser.
        """
        self._require_not_archived()
        if self.confirmed:
            raise VerifiedUser
        self._registration_undone(names)

    def classify(self, classification: str) -> None:
        """Change the classification. Raises UserArchived."""
        self._require_not_archived()
        if self.classification != classification:
            self._classification_changed(classification)

    def archive(self) -> None:
        """Archive the account for ever."""
        if not self.archived:
            self._archived()

    def rehash_password(self, password_hash: str) -> None:
        """Replace the hash of the unchanged password."""
        self._password_rehashed(Personal(self.id, password_hash))

    def set_communication_preferences(self, preferences: str) -> None:
        """Replace the preferences: JSON with an object for each channel. Raises UserArchived."""
        self._require_not_archived()
        if revealed(self.communication_preferences) != preferences:
            self._communication_preferences_set(Personal(self.id, preferences))

    def confirm(self, *, email_verified: bool = False, phone_verified: bool = False) -> None:
        """Let the user sign in. The flags tell which contacts are verified with it. Raises UserArchived."""
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
        """Hand a provisional account over to the person who owns its contact. Replace its names and password.

        All sessions of the user end. Without a password the user cannot sign in until they set one. Raises
        UserArchived; VerifiedUser for a confirmed user who is not provisional.
        """
        self._require_not_archived()
        if self.confirmed and not self.provisional:
            raise VerifiedUser
        names = LoginNames.of(self.id, email, phone, username)
        self._taken_over(sealed(self.id, password_hash), names, email_verified, phone_verified)

    def release_login_names(self, proved: Collection[LoginName]) -> None:
        """Remove the user's names that another user has proved to be theirs."""
        kinds: tuple[NameKind, ...] = ("email", "phone", "username")
        names = zip(kinds, self.names.revealed, strict=True)
        released = [kind for kind, name in names if name is not None and parse_login_name(name) in proved]
        if released:
            self._login_names_released(released)

    def require_not_limited_to_another(self, organization_id: UUID, *, argument: str | None = None) -> None:
        """Raise ProvisionalUser when the user is limited to another organization."""
        if self.provisional and self.provisional_in != organization_id:
            raise ProvisionalUser(argument=argument)

    def disable(self) -> None:
        """Disable the user and end their sessions. Raises UserArchived."""
        self._require_not_archived()
        if self.enabled:
            self._disabled()

    def enable(self) -> None:
        """Enable the user again. Raises UserArchived."""
        self._require_not_archived()
        if not self.enabled:
            self._enabled()

    def join(self, organization_id: UUID) -> None:
        """Make the user a provider of the organization. Raises UserArchived."""
        self._require_not_archived()
        if organization_id not in self.organizations:
            self._joined_organization(organization_id)

    def leave(self, organization_id: UUID) -> None:
        """End the membership. If it was the default organization, the oldest other organization becomes the default."""
        if organization_id in self.organizations:
            self._left_organization(organization_id)
            if self.default_organization_id == organization_id:
                self._default_organization_changed(self.current_organization)

    def acquire_individual(self, individual_id: UUID) -> None:
        """Record that the user became the owner of the individual."""
        if individual_id not in self.individuals:
            self._individual_acquired(individual_id)

    def release_individual(self, individual_id: UUID) -> None:
        """Record that the user is no longer the owner of the individual."""
        if individual_id in self.further_individuals:
            self._individual_released(individual_id)

    def _require_not_archived(self) -> None:
        if self.archived:
            raise UserArchived

    @event(UserEvents.PasswordSet)
    def _password_set(self, password_hash: Personal) -> None:
        self.password_hash = password_hash

    @event(UserEvents.PasswordRehashed)
    def _password_rehashed(self, password_hash: Personal) -> None:
        self.password_hash = password_hash

    @event(UserEvents.PasswordChanged)
    def _password_changed(self, password_hash: Personal, ends_sessions: bool, kept_session_id: UUID) -> None:  # noqa: ARG002
        self.password_hash = password_hash

    @event(UserEvents.PasswordReset)
    def _password_reset(self, password_hash: Personal) -> None:
        self.password_hash = password_hash
        self.reset_required = False

    @event(UserEvents.PasswordResetRequired)
    def _password_reset_required(self, password_hash: Personal, ends_sessions: bool) -> None:
        self.password_hash = password_hash
        self.reset_required = True
        self.reset_kept_sessions = not ends_sessions

    @event(UserEvents.ProfileChanged)
    def _profile_changed(
        self, first_name: Personal | None, last_name: Personal | None, locale: str | None, tz: str | None
    ) -> None:
        self.first_name, self.last_name, self.locale, self.tz = first_name, last_name, locale, tz

    @event(UserEvents.RegionAssumed)
    def _region_assumed(self, locale: str | None, tz: str | None) -> None:
        self.assumed_locale, self.assumed_tz = locale, tz

    @event(UserEvents.ContactChanged)
    def _contact_changed(self, kind: ContactKind, contact: Personal | None) -> None:
        self.names = replace(self.names, **{kind: contact})
        if kind == "email":
            self.email_verified = False
        else:
            self.phone_verified = False

    @event(UserEvents.ContactVerified)
    def _contact_verified(self, kind: ContactKind) -> None:
        self.provisional_in = None
        if kind == "email":
            self.email_verified = True
        else:
            self.phone_verified = True

    @event(UserEvents.LoginNameChosen)
    def _login_name_chosen(self, kind: ContactKind) -> None:
        self.login_contact = kind
        self.names = replace(self.names, username=None)

    @event(UserEvents.LoginNamesChosen)
    def _login_names_chosen(self, names: LoginNames, login_contact: ContactKind | None) -> None:
        self.names, self.login_contact = names, login_contact

    @event(UserEvents.RegistrationUndone)
    def _registration_undone(self, names: LoginNames) -> None:
        self.names, self.login_contact, self.password_hash = names, None, None

    @event(UserEvents.ClassificationChanged)
    def _classification_changed(self, classification: str) -> None:
        self.classification = classification

    @event(UserEvents.Archived)
    def _archived(self) -> None:
        self.archived = True
        self.names, self.password_hash = LoginNames(), None
        self.email_verified = self.phone_verified = False

    @event(UserEvents.CommunicationPreferencesSet)
    def _communication_preferences_set(self, preferences: Personal) -> None:
        self.communication_preferences = preferences

    @event(UserEvents.Confirmed)
    def _confirmed(self, email_verified: bool, phone_verified: bool) -> None:
        self.confirmed = True
        if email_verified or phone_verified:
            self.provisional_in = None
        self.email_verified = self.email_verified or email_verified
        self.phone_verified = self.phone_verified or phone_verified

    @event(UserEvents.TakenOver)
    def _taken_over(
        self, password_hash: Personal | None, names: LoginNames, email_verified: bool, phone_verified: bool
    ) -> None:
        self.password_hash = password_hash
        self.names, self.login_contact = names, None
        self.email_verified, self.phone_verified = email_verified, phone_verified
        self.provisional_in = None
        self.reset_required = False

    @event(UserEvents.LoginNamesReleased)
    def _login_names_released(self, kinds: Sequence[NameKind]) -> None:
        self.names = replace(self.names, **dict.fromkeys(kinds))

    @event(UserEvents.Disabled)
    def _disabled(self) -> None:
        self.enabled = False

    @event(UserEvents.Enabled)
    def _enabled(self) -> None:
        self.enabled = True

    def _joined_organization(self, organization_id: UUID) -> None:
        self.trigger_event(self.JoinedOrganization, organization_id=organization_id)

    @event(UserEvents.LeftOrganization)
    def _left_organization(self, organization_id: UUID) -> None:
        self.former_organizations[organization_id] = self.organizations.pop(organization_id)

    @event(UserEvents.DefaultOrganizationChanged)
    def _default_organization_changed(self, organization_id: UUID | None) -> None:
        self.default_organization_id = organization_id

    @event(UserEvents.IndividualAcquired)
    def _individual_acquired(self, individual_id: UUID) -> None:
        self.further_individuals.append(individual_id)

    @event(UserEvents.IndividualReleased)
    def _individual_released(self, individual_id: UUID) -> None:
        self.further_individuals.remove(individual_id)
