"""What happens to users (ruling K137)."""

from typing import Any
from uuid import UUID

from domain.core.audited import Audited
from domain.core.personal import Personal
from domain.people.login_names import ContactKind, LoginNames, NameKind


class UserEvents(Audited):
    """The events of users after their creation."""

    class PasswordSet(Audited.Event):
        """The user got a password."""

        TOPIC = "user.password-set"
        password_hash: Personal

    class PasswordRehashed(Audited.Event):
        """The unchanged password was hashed again with the present cost parameters."""

        TOPIC = "user.password-rehashed"
        password_hash: Personal

    class PasswordChanged(Audited.Event):
        """The user changed their password.

        If `ends_sessions` is true, all their sessions except `kept_session_id` have ended.
        """

        TOPIC = "user.password-changed"
        password_hash: Personal
        ends_sessions: bool
        kept_session_id: UUID

    class PasswordReset(Audited.Event):
        """The user set a new password with a code; their sessions have ended, and no reset is required any more."""

        TOPIC = "user.password-reset"
        password_hash: Personal

    class PasswordResetRequired(Audited.Event):
        """Staff set another password; the user must reset it before they can log in (ruling K71)."""

        TOPIC = "user.password-reset-required"
        password_hash: Personal
        ends_sessions: bool

    class ProfileChanged(Audited.Event):
        """The profile was replaced by these values; None for a locale or time zone that the user did not choose."""

        TOPIC = "user.profile-changed"
        first_name: Personal | None
        last_name: Personal | None
        locale: str | None
        tz: str | None

    class RegionAssumed(Audited.Event):
        """A client told the locale or time zone of the user, which count until the user chooses others."""

        TOPIC = "user.region-assumed"
        locale: str | None
        tz: str | None

    class ContactChanged(Audited.Event):
        """The e-mail address or the phone number was replaced; the new one is not verified. None removes it."""

        TOPIC = "user.contact-changed"
        kind: ContactKind
        contact: Personal | None

    class ContactVerified(Audited.Event):
        """The user proved that they read the messages of this contact, or a service vouched for that."""

        TOPIC = "user.contact-verified"
        kind: ContactKind

    class LoginNameChosen(Audited.Event):
        """The user logs in under the name of this contact; a user name of their own is given up."""

        TOPIC = "user.login-name-chosen"
        kind: ContactKind

    class LoginNamesChosen(Audited.Event):
        """The user chose their login names as they signed up; these replace all earlier ones.

        `login_contact` is the contact that they log in under, None for the first of user name, address and number.
        """

        TOPIC = "user.login-names-chosen"
        names: LoginNames
        login_contact: ContactKind | None

    class RegistrationUndone(Audited.Event):
        """A sign-up counts no more, because the contact that it was made with is not the user's.

        The user has no password. The names replace all earlier ones.
        """

        TOPIC = "user.registration-undone"
        names: LoginNames

    class ClassificationChanged(Audited.Event):
        """A system administrator changed the classification."""

        TOPIC = "user.classification-changed"
        classification: str

    class Archived(Audited.Event):
        """The account was archived for ever: names and password are given up, and all sessions have ended."""

        TOPIC = "user.archived"

    class CommunicationPreferencesSet(Audited.Event):
        """The communication preferences were replaced; `preferences` is JSON with an object for each channel."""

        TOPIC = "user.communication-preferences-set"
        preferences: Personal

    class Confirmed(Audited.Event):
        """The user was confirmed and may sign in; the flags tell which contacts were verified with it."""

        TOPIC = "user.confirmed"
        email_verified: bool
        phone_verified: bool

    class TakenOver(Audited.Event):
        """A provisional account was handed over to the person who owns its contact (ruling O1).

        The password and the names replace all earlier ones, None removes one. The user's sessions have ended.
        """

        TOPIC = "user.taken-over"
        password_hash: Personal | None
        names: LoginNames
        email_verified: bool
        phone_verified: bool

    class LoginNamesReleased(Audited.Event):
        """The user lost login names of these kinds, because another user proved that the names are theirs."""

        TOPIC = "user.login-names-released"
        kinds: list[NameKind]

    class Disabled(Audited.Event):
        """The user was disabled; their sessions have ended."""

        TOPIC = "user.disabled"

    class Enabled(Audited.Event):
        """The user was enabled again."""

        TOPIC = "user.enabled"

    class JoinedOrganization(Audited.Event):
        """The user became a provider of an organization."""

        TOPIC = "user.joined-organization"
        organization_id: UUID

        def apply(self, aggregate: Any) -> None:
            # not in an `@event` method: there, `modified_on` is still the time of the previous event
            aggregate.organizations[self.organization_id] = self.timestamp

    class LeftOrganization(Audited.Event):
        """The user stopped being a provider of an organization; their sessions in that organization have ended."""

        TOPIC = "user.left-organization"
        organization_id: UUID

    class DefaultOrganizationChanged(Audited.Event):
        """The default organization of the user changed."""

        TOPIC = "user.default-organization-changed"
        organization_id: UUID | None

    class IndividualAcquired(Audited.Event):
        """The user became the owner of an individual beside their primary one; a provider cannot own two."""

        TOPIC = "user.individual-acquired"
        individual_id: UUID

    class IndividualReleased(Audited.Event):
        """The user stopped being the owner of an individual."""

        TOPIC = "user.individual-released"
        individual_id: UUID
