"""Onboarding requests, which bring a person into an organization when they are claimed (semantics 9, A1)."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists
from domain.core.messages import Channel
from domain.core.personal import Personal, sealed
from domain.onboarding.invitations import Invitation, OnboardType
from domain.people.login_names import LoginNames

Status = Literal["claimed", "created", "invited", "registering"]
InviteStatus = Literal["created", "failed", "sent"]


class OnboardingRequestOpen(AlreadyExists):
    """The organization already has an open request for the same person."""


@dataclass(frozen=True)
class Invite:
    """An invitation over one channel. `id` is the id of its message, `code_hash` the hash of its referral code."""

    id: UUID
    channel: Channel
    created_at: datetime
    code_hash: str
    expires_at: datetime
    status: InviteStatus = "created"
    error: str | None = None


class OnboardingRequest(Audited):
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

    class RegistrationStarted(Audited.Event):
        """The user got a password and has to be confirmed."""

        TOPIC = "onboarding-request.registration-started"

        def apply(self, aggregate: "OnboardingRequest") -> None:
            aggregate.registering_at = self.timestamp

    class Claimed(Audited.Event):
        """The user claimed the request and became the owner of the individual."""

        TOPIC = "onboarding-request.claimed"
        user_id: UUID
        individual_id: UUID

        def apply(self, aggregate: "OnboardingRequest") -> None:
            aggregate.claimed_at = self.timestamp
            aggregate.claimed_by = self.user_id
            aggregate.individual_id = self.individual_id

    class InvitationIssued(Audited.Event):
        """An invitation was issued over a channel; only the hash of its referral code is recorded (ruling K137)."""

        TOPIC = "onboarding-request.invitation-issued"
        message_id: UUID
        channel: Channel
        code_hash: str
        lifetime: int

        def apply(self, aggregate: "OnboardingRequest") -> None:
            end = self.timestamp + timedelta(seconds=self.lifetime)
            invite = Invite(self.message_id, self.channel, self.timestamp, self.code_hash, end)
            aggregate.invites[self.message_id] = invite

    class InvitationSent(Audited.Event):
        """The message of an invitation was handed over to the delivery service."""

        TOPIC = "onboarding-request.invitation-sent"
        message_id: UUID

        def apply(self, aggregate: "OnboardingRequest") -> None:
            aggregate.invites[self.message_id] = replace(aggregate.invites[self.message_id], status="sent", error=None)

    class InvitationFailed(Audited.Event):
        """The message of an invitation cannot be delivered; `error` contains nothing personal."""

        TOPIC = "onboarding-request.invitation-failed"
        message_id: UUID
        error: str

        def apply(self, aggregate: "OnboardingRequest") -> None:
            aggregate.invites[self.message_id] = replace(
                aggregate.invites[self.message_id], status="failed", error=self.error
            )

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
            notifications=None if invitation.notifications is None else list(invitation.notifications),
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
        if self.done:
            return "claimed"
        if self.registering_at is not None:
            return "registering"
        return "invited" if any(invite.status == "sent" for invite in self.invites.values()) else "created"

    @property
    def last_invites(self) -> dict[Channel, Invite]:
        """Return the last invitation over each channel."""
        return {invite.channel: invite for invite in self.invites.values()}

    def register(self) -> None:
        """Record that the user has a password and has to be confirmed."""
        if self.registering_at is None and not self.done:
            self.trigger_event(self.RegistrationStarted)

    def claim(self, user_id: UUID, individual_id: UUID) -> None:
        """Record that the user claimed the request and owns the individual."""
        if not self.done:
            self.trigger_event(self.Claimed, user_id=user_id, individual_id=individual_id)

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
        if self.invites[message_id].status != "sent":
            self.trigger_event(self.InvitationSent, message_id=message_id)

    def record_failed(self, message_id: UUID, error: str) -> None:
        """Record that the invitation cannot be sent. Ignore an unknown invitation and one that was sent or failed."""
        invite = self.invites.get(message_id)
        if invite is not None and invite.status == "created":
            self.trigger_event(self.InvitationFailed, message_id=message_id, error=error)
