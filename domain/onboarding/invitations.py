"""Invitations: what a caller asks for with an onboarding request."""

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from domain.core.errors import Invalid
from domain.core.messages import Channel
from domain.people.login_names import LoginName, finding_names, parse_login_name, require_usable_username

OnboardType = Literal["patient", "provider"]


class ForProvidersOnly(Invalid):
    """The attribute is for providers only."""


class ForPatientsOnly(Invalid):
    """The attribute is for patients only."""


class PasswordWithoutSignUp(Invalid):
    """A password requires auto-sign-up."""


class ChannelWithoutContact(Invalid):
    """The person has no contact for this channel."""


class Contacts(NamedTuple):
    """What reaches a person or finds their account, as it was written."""

    email: str | None = None
    phone: str | None = None
    username: str | None = None

    @property
    def given(self) -> list[str]:
        """Return those of the three that were given."""
        return [contact for contact in self if contact is not None]

    @property
    def login_names(self) -> list[LoginName]:
        """Return the login names that find the person: the contacts, or else the user name (ruling O2)."""
        return finding_names(*self)

    def without(self, names: Collection[LoginName]) -> "Contacts":
        """Return those that are none of the login names."""
        return Contacts(*(each if each is None or parse_login_name(each) not in names else None for each in self))

    @property
    def by_channel(self) -> dict[Channel, str | None]:
        """Return the contact that each channel needs."""
        return {"email": self.email, "sms": self.phone}


class Invitation(NamedTuple):
    """A person, the organization to onboard them into, and how to do that.

    `individual_id` is the individual that a patient gets. `communication_preferences` is a JSON object.
    """

    organization_id: UUID
    onboard_type: OnboardType
    contacts: Contacts
    password: str | None = None
    individual_id: UUID | None = None
    group_ids: Sequence[UUID] = ()
    provider_roles: Sequence[str] = ()
    notifications: Sequence[Channel] | None = None
    email_user_now: bool = False
    auto_sign_up: bool = False
    auto_confirm: bool = False
    communication_preferences: str | None = None

    @property
    def channels(self) -> list[Channel]:
        """Return the channels of the invitation: the requested ones, else e-mail, else text message (ruling K95)."""
        contacts = self.contacts.by_channel
        reachable: list[Channel] = [channel for channel, contact in contacts.items() if contact is not None]
        channels = reachable[:1] if self.notifications is None else list(self.notifications)
        if self.email_user_now and self.contacts.email is not None:
            channels.append("email")
        return list(dict.fromkeys(channels))

    @property
    def unreachable(self) -> list[int]:
        """Return the indexes of the requested notifications for which the person has no contact."""
        contacts = self.contacts.by_channel
        return [index for index, channel in enumerate(self.notifications or ()) if contacts[channel] is None]

    @property
    def claimed_at_once(self) -> bool:
        """Return whether the request is claimed at once, without an answer of the person."""
        return self.auto_sign_up and self.auto_confirm


def require_consistent(invitation: Invitation) -> None:
    """Raise a refusal when the members of the invitation contradict each other.

    The refusals are ForProvidersOnly, ForPatientsOnly, PasswordWithoutSignUp, UnusableUserName, ForeignUserName, and
    ChannelWithoutContact for each requested channel without a contact (ruling K95).
    """
    refusals = [ChannelWithoutContact(argument=f"notifications/{index}") for index in invitation.unreachable]
    if refusals:
        raise ChannelWithoutContact(argument=refusals[0].argument, others=refusals[1:])
    if invitation.provider_roles and invitation.onboard_type == "patient":
        raise ForProvidersOnly(argument="provider_roles")
    if invitation.individual_id is not None and invitation.onboard_type == "provider":
        raise ForPatientsOnly(argument="individual_id")
    if invitation.password is not None and not invitation.auto_sign_up:
        raise PasswordWithoutSignUp(argument="password")
    email, phone, username = invitation.contacts
    if username is not None:
        require_usable_username(username, email, phone)
