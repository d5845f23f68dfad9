"""Onboarding requests, which bring a person into an organization when they are claimed (semantics 9, A1)."""

from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, InvalidState
from domain.core.messages import Channel
from domain.core.personal import Personal, sealed
from domain.onboarding.invitations import Invitation, OnboardType
from domain.onboarding.invites import Invite, InviteStatus
from domain.onboarding.request_events import RequestEvents
from domain.people.login_names import LoginNames, parse_login_name
from domain.people.users import User

Status = Literal["claimed", "created", "invited", "registering"]


class OnboardingRequestOpen(AlreadyExists):
    """The organization already has an open request for the same person."""


class RequestClaimed(InvalidState):
    """The request is claimed already."""


def status_of(*, claimed: bool, registering: bool, invited: bool) -> Status:
    """Return the contract's status of a request; `invited` tells whether a message was ever handed over (K96)."""
    if claimed:
        return "claimed"
    if registering:
        return "registering"
    return "invited" if invited else "created"


class OnboardingRequest(RequestEvents):
    """A request to onboard a person, whose user is `user_id`. Answers show nothing of the user before the claim."""

    TOPIC = "onboarding-request"

    organization_id: UUID
    onboard_type: OnboardType
    user_id: UUID
    names: LoginNames
    provider_roles: list[str]
    group_ids: list[UUID]
    created_by: UUID | None
    individual_id: UUID | None
    new_user: bool
    auto_confirm: bool
    notifications: list[str] | None
    invited: bool = False
    registering_at: datetime | None = None
    claimed_at: datetime | None = None
    claimed_by: UUID | None = None
    invites: dict[UUID, Invite] = field(default_factory=dict)

    class Created(Audited.Created):
        """An onboarding request was created.

        `new_user` tells whether the user was created with it. `notifications` is None when the service chooses the
        channel. The claim shares the individual `individual_id` and adds it to the groups `group_ids`.
        """

        TOPIC = "onboarding-request.created"
        organization_id: UUID
        onboard_type: OnboardType
        user_id: UUID
        new_user: bool
        individual_id: UUID | None
        names: LoginNames
        provider_roles: list[str]
        group_ids: list[UUID]
        notifications: list[str] | None
        email_user_now: bool
        auto_sign_up: bool
        auto_confirm: bool
        communication_preferences: Personal | None
        created_by: UUID | None

    @classmethod
    def open(
        cls, request_id: UUID, invitation: Invitation, user_id: UUID, *, new_user: bool, created_by: UUID | None
    ) -> "OnboardingRequest":
        """Return a new request, which the user will claim."""
        return cls._create(
            cls.Created,
            id=request_id,
            organization_id=invitation.organization_id,
            onboard_type=invitation.onboard_type,
            user_id=user_id,
            new_user=new_user,
            individual_id=invitation.individual_id,
            names=LoginNames.of(user_id, *invitation.contacts),
            provider_roles=list(invitation.provider_roles),
            group_ids=list(invitation.group_ids),
            notifications=None if invitation.notifications is None else list(dict.fromkeys(invitation.notifications)),
            email_user_now=invitation.email_user_now,
            auto_sign_up=invitation.auto_sign_up,
            auto_confirm=invitation.auto_confirm,
            communication_preferences=sealed(user_id, invitation.communication_preferences),
            created_by=created_by,
        )

    @property
    def done(self) -> bool:
        """Return whether the request is claimed."""
        return self.claimed_at is not None

    @property
    def status(self) -> Status:
        """Return the contract's status of the request."""
        return status_of(claimed=self.done, registering=self.registering_at is not None, invited=self.invited)

    def has_made(self, user: User) -> bool:
        """Return whether the user was made with the request, and nobody has proved to be them yet."""
        return self.new_user and not user.confirmed and user.provisional_in == self.organization_id

    def is_registering(self, user_id: UUID) -> bool:
        """Return whether this user has signed up for the request and not claimed it yet."""
        return self.registering_at is not None and not self.done and self.user_id == user_id

    @property
    def last_invites(self) -> dict[Channel, Invite]:
        """Return the last invitation over each channel."""
        return {invite.channel: invite for invite in self.invites.values()}

    @property
    def reachable(self) -> list[Channel]:
        """Return the channels over which the person has a contact."""
        contacts: dict[Channel, Personal | None] = {"email": self.names.email, "sms": self.names.phone}
        return [channel for channel, contact in contacts.items() if contact is not None]

    def register(self) -> None:
        """Record that the user has a password and has to be confirmed: the last sign-up is the one that counts."""
        if not self.done:
            self.trigger_event(self.RegistrationStarted)

    def claim(self, user_id: UUID, individual_id: UUID) -> None:
        """Record that the user claimed the request and owns the individual."""
        if not self.done:
            self.trigger_event(self.Claimed, user_id=user_id, individual_id=individual_id)

    def readdress(self, email: str, user_id: UUID, *, new_user: bool) -> None:
        """Replace the e-mail address of the person, who is the user `user_id`. Raises RequestClaimed."""
        if self.done:
            raise RequestClaimed
        _, phone, username = self.names.revealed
        if username is not None and parse_login_name(username).kind == "email":
            username = None  # it was the former address
        self.trigger_event(
            self.Readdressed,
            organization_id=self.organization_id,
            user_id=user_id,
            new_user=new_user,
            names=LoginNames.of(user_id, email, phone, username),
        )

    def repoint(self, user_id: UUID) -> None:
        """Let the request be about another user, who has taken the place of the former one."""
        if not self.done:
            names = LoginNames.of(user_id, *self.names.revealed)
            self.trigger_event(self.Repointed, organization_id=self.organization_id, user_id=user_id, names=names)

    def invite(self, message_id: UUID, channel: Channel, code_hash: str, lifetime: timedelta) -> None:
        """Issue an invitation over the channel; earlier codes stay valid (ruling K31)."""
        self.trigger_event(
            self.InvitationIssued,
            message_id=message_id,
            channel=channel,
            code_hash=code_hash,
            lifetime=int(lifetime.total_seconds()),
        )

    def record_sent(self, message_id: UUID) -> None:
        """Record that the invitation was sent, even if it was recorded as failed before."""
        if self.invites[message_id].waiting:
            self.trigger_event(self.InvitationSent, message_id=message_id)

    def record_failed(self, message_id: UUID, error: str) -> None:
        """Record that the invitation cannot be sent. Ignore an unknown invitation and one that was sent or failed."""
        invite = self.invites.get(message_id)
        if invite is not None and invite.status == "created":
            self.trigger_event(self.InvitationFailed, message_id=message_id, error=error)

    def record_report(self, message_id: UUID, status: InviteStatus, report: str | None) -> None:
        """Record what a delivery service reported of the invitation, unless a later or final status is known (K100)."""
        if not self.invites[message_id].may_become(status):
            return
        if status == "sent":
            self.trigger_event(self.InvitationSent, message_id=message_id)
        elif status == "delivered":
            self.trigger_event(self.InvitationDelivered, message_id=message_id)
        elif status == "responded":
            self.trigger_event(self.InvitationResponded, message_id=message_id)
        else:
            self.trigger_event(self.InvitationUndelivered, message_id=message_id, report=sealed(self.user_id, report))

    def record_response(self, message_id: UUID) -> None:
        """Record that the person used the code of the invitation, even if its message is known as failed."""
        if self.invites[message_id].status != "responded":
            self.trigger_event(self.InvitationResponded, message_id=message_id)

    def replace_invite(self, message_id: UUID, **changes: Any) -> None:
        """Assign these attributes of the invitation; only events call this."""
        self.invites[message_id] = replace(self.invites[message_id], **changes)
