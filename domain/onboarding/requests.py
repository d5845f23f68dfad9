"""Onboarding requests: bringing somebody into an organization, at once or when he claims it (semantics 9, A1)."""

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
    detail = "There is an open request of this organization for the same person."


@dataclass(frozen=True)
class Invite:
    """A message that invites the person over one channel; its id is the message's. `code_hash` is of its code."""

    id: UUID
    channel: Channel
    created_at: datetime
    code_hash: str
    expires_at: datetime
    status: InviteStatus = "created"
    error: str | None = None


class OnboardingRequest(Audited):
    """`user_id` is whoever is to claim it. Nothing of that person is shown before he has."""

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
        """What was asked for.

        `new_user` tells whether the user came into being with it. `notifications` is None when the channel is left to
        the service. `individual_id` and `group_ids` are what the claim shares and where it places it.
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
        """There is a password; the user has to be confirmed."""

        TOPIC = "onboarding-request.registration-started"

        def apply(self, aggregate: "OnboardingRequest") -> None:
            aggregate.registering_at = self.timestamp

    class Claimed(Audited.Event):
        """By the user, whose individual it is from now on."""

        TOPIC = "onboarding-request.claimed"
        user_id: UUID
        individual_id: UUID

        def apply(self, aggregate: "OnboardingRequest") -> None:
            aggregate.claimed_at = self.timestamp
            aggregate.claimed_by = self.user_id
            aggregate.individual_id = self.individual_id

    class InvitationIssued(Audited.Event):
        """The person is invited over the channel with a code of which only the hash is known (ruling K137)."""

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
        """The message was handed over to whoever delivers it."""

        TOPIC = "onboarding-request.invitation-sent"
        message_id: UUID

        def apply(self, aggregate: "OnboardingRequest") -> None:
            aggregate.invites[self.message_id] = replace(aggregate.invites[self.message_id], status="sent", error=None)

    class InvitationFailed(Audited.Event):
        """The message will not be delivered; `error` holds nothing personal."""

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
        """Return a new request that the user is to claim."""
        return cls._create(
            cls.Created,
            id=request_id,
            organization_id=invitation.organization_id,
            onboard_type=invitation.onboard_type,
            user_id=user_id,
            new_user=new_user,
            individual_id=invitation.individual_id,
            names=LoginNames.of(user_id, invitation.email, invitation.phone, invitation.username),
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
        return self.claimed_at is not None

    @property
    def status(self) -> Status:
        """The contract's word for how far it is."""
        if self.done:
            return "claimed"
        if self.registering_at is not None:
            return "registering"
        return "invited" if any(each.status == "sent" for each in self.invites.values()) else "created"

    @property
    def last_invites(self) -> dict[Channel, Invite]:
        """The last invitation over each channel."""
        return {each.channel: each for each in self.invites.values()}

    def register(self) -> None:
        if self.registering_at is None and not self.done:
            self.trigger_event(self.RegistrationStarted)

    def claim(self, user_id: UUID, individual_id: UUID) -> None:
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
        """The invitation left, be it after it was given up."""
        if self.invites[message_id].status != "sent":
            self.trigger_event(self.InvitationSent, message_id=message_id)

    def record_failed(self, message_id: UUID, error: str) -> None:
        """The invitation will not leave; one that is unknown, left or failed before stays as it is."""
        invite = self.invites.get(message_id)
        if invite is not None and invite.status == "created":
            self.trigger_event(self.InvitationFailed, message_id=message_id, error=error)
