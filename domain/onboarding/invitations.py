"""What an onboarding request asks for."""

from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from domain.core.errors import Invalid
from domain.core.messages import Channel
from domain.people.login_names import LoginName, finding_names, require_usable_username

OnboardType = Literal["patient", "provider"]


class ForProvidersOnly(Invalid):
    detail = "Only a provider can have this."


class ForPatientsOnly(Invalid):
    detail = "Only a patient can have this."


class PasswordWithoutSignUp(Invalid):
    detail = "A password is taken with auto-sign-up only."


class ChannelWithoutContact(Invalid):
    detail = "There is no contact of the person for this channel."


class Invitation(NamedTuple):
    """Who is to be brought in where, and how.

    `individual_id` is the individual that a patient gets; `communication_preferences` is a JSON object.
    """

    organization_id: UUID
    onboard_type: OnboardType
    email: str | None = None
    phone: str | None = None
    username: str | None = None
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
    def contacts(self) -> list[str]:
        return [contact for contact in (self.email, self.phone, self.username) if contact is not None]

    @property
    def names(self) -> list[LoginName]:
        """The names that find the person: the contacts; the user name only where there is none (ruling O2)."""
        return finding_names(self.email, self.phone, self.username)

    @property
    def channels(self) -> list[Channel]:
        """Where the person is invited: as asked for, else by e-mail, else by text message (ruling K95)."""
        reachable: list[Channel] = [channel for channel, contact in self._contacts.items() if contact is not None]
        asked = reachable[:1] if self.notifications is None else list(self.notifications)
        if self.email_user_now and self.email is not None:
            asked.append("email")
        return list(dict.fromkeys(asked))

    @property
    def unreachable(self) -> list[int]:
        """Which of the notifications asked for have no contact, by their places."""
        return [n for n, channel in enumerate(self.notifications or ()) if self._contacts[channel] is None]

    @property
    def _contacts(self) -> dict[Channel, str | None]:
        return {"email": self.email, "sms": self.phone}

    @property
    def at_once(self) -> bool:
        """Whether it is claimed at once, without asking the person."""
        return self.auto_sign_up and self.auto_confirm


def require_consistent(invitation: Invitation) -> None:
    """Raise ForProvidersOnly, ForPatientsOnly, PasswordWithoutSignUp, UnusableUserName or ForeignUserName.

    ChannelWithoutContact for each channel asked for without a contact (ruling K95).
    """
    missing = [ChannelWithoutContact(argument=f"notifications/{number}") for number in invitation.unreachable]
    if missing:
        raise ChannelWithoutContact(argument=missing[0].argument, others=missing[1:])
    if invitation.provider_roles and invitation.onboard_type == "patient":
        raise ForProvidersOnly(argument="provider_roles")
    if invitation.individual_id is not None and invitation.onboard_type == "provider":
        raise ForPatientsOnly(argument="individual_id")
    if invitation.password is not None and not invitation.auto_sign_up:
        raise PasswordWithoutSignUp(argument="password")
    if invitation.username is not None:
        require_usable_username(invitation.username, invitation.email, invitation.phone)
