"""What happens to onboarding requests (ruling K137)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from domain.core.audited import Audited
from domain.core.messages import Channel
from domain.core.personal import Personal
from domain.onboarding.invites import Invite
from domain.people.login_names import LoginNames


class RequestEvents(Audited):
    """The events of onboarding requests after their creation."""

    class RegistrationStarted(Audited.Event):
        """The user got a password and has to be confirmed."""

        TOPIC = "onboarding-request.registration-started"

        def apply(self, aggregate: Any) -> None:
            aggregate.registering_at = self.timestamp

    class Claimed(Audited.Event):
        """The user claimed the request and became the owner of the individual."""

        TOPIC = "onboarding-request.claimed"
        user_id: UUID
        individual_id: UUID

        def apply(self, aggregate: Any) -> None:
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

        def apply(self, aggregate: Any) -> None:
            end = self.timestamp + timedelta(seconds=self.lifetime)
            invite = Invite(self.message_id, self.channel, self.timestamp, self.code_hash, end)
            aggregate.invites[self.message_id] = invite

    class InvitationSent(Audited.Event):
        """The message of an invitation was handed over to the delivery service."""

        TOPIC = "onboarding-request.invitation-sent"
        message_id: UUID

        def apply(self, aggregate: Any) -> None:
            aggregate.invited = True
            aggregate.replace_invite(self.message_id, status="sent", error=None)

    class InvitationFailed(Audited.Event):
        """The message of an invitation cannot be delivered; `error` contains nothing personal."""

        TOPIC = "onboarding-request.invitation-failed"
        message_id: UUID
        error: str

        def apply(self, aggregate: Any) -> None:
            aggregate.replace_invite(self.message_id, status="failed", error=self.error)

    class InvitationDelivered(Audited.Event):
        """A delivery service reported that the message of an invitation arrived."""

        TOPIC = "onboarding-request.invitation-delivered"
        message_id: UUID

        def apply(self, aggregate: Any) -> None:
            aggregate.invited = True
            aggregate.replace_invite(self.message_id, status="delivered")

    class InvitationUndelivered(Audited.Event):
        """A delivery service reported that the message of an invitation did not arrive, and why."""

        TOPIC = "onboarding-request.invitation-undelivered"
        message_id: UUID
        report: Personal | None

        def apply(self, aggregate: Any) -> None:
            aggregate.replace_invite(self.message_id, status="failed", report=self.report, undelivered=True)

    class InvitationResponded(Audited.Event):
        """The person used the referral code of an invitation."""

        TOPIC = "onboarding-request.invitation-responded"
        message_id: UUID

        def apply(self, aggregate: Any) -> None:
            aggregate.invited = True
            aggregate.replace_invite(
                self.message_id, status="responded", error=None, report=None, responded_at=self.timestamp
            )

    class Readdressed(Audited.Event):
        """The person got another e-mail address; codes that were sent by e-mail and an earlier sign-up are void.

        The request is about the user `user_id` from now on, who has the address. `new_user` tells whether that user was
        created with this event. `organization_id` is the organization of the request.
        """

        TOPIC = "onboarding-request.readdressed"
        organization_id: UUID
        user_id: UUID
        new_user: bool
        names: LoginNames

        def apply(self, aggregate: Any) -> None:
            aggregate.registering_at = None
            if self.user_id != aggregate.user_id:
                aggregate.new_user = self.new_user
            aggregate.user_id, aggregate.names = self.user_id, self.names
            for message_id, invite in aggregate.invites.items():
                if invite.channel == "email":
                    aggregate.replace_invite(message_id, void=True)

    class Repointed(Audited.Event):
        """The request is about another user from now on, who has the contact; codes stay valid (ruling K5).

        `organization_id` is the organization of the request.
        """

        TOPIC = "onboarding-request.repointed"
        organization_id: UUID
        user_id: UUID
        names: LoginNames

        def apply(self, aggregate: Any) -> None:
            aggregate.registering_at, aggregate.new_user = None, False
            aggregate.user_id, aggregate.names = self.user_id, self.names
