"""Invitations and whether they still wait to be sent: what a dead job left behind shows here."""

from collections.abc import Sequence

from psycopg import AsyncCursor

from domain.core.recorded import Recorded
from domain.onboarding.requests import OnboardingRequest
from projections.core.event_rows import BeginningsAndEnds
from projections.core.fold import handler
from projections.core.projection import Projection


class InvitationsFold(BeginningsAndEnds):
    @handler
    def issue(self, event: OnboardingRequest.InvitationIssued) -> None:
        self.begun.append(
            {
                "message_id": event.message_id,
                "request_id": event.originator_id,
                "channel": event.channel,
                "pending": True,
                "issued_position": self.position,
            }
        )

    @handler
    def end(
        self,
        event: OnboardingRequest.InvitationSent
        | OnboardingRequest.InvitationFailed
        | OnboardingRequest.InvitationDelivered
        | OnboardingRequest.InvitationUndelivered
        | OnboardingRequest.InvitationResponded,
    ) -> None:
        self.ended.append({"message_id": event.message_id, "pending": False})


class InvitationsProjection(Projection):
    """A row per message that invites a person: made when it is issued, changed when it left or failed."""

    name = "invitations"
    events = InvitationsFold.events

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        fold = await InvitationsFold().add_all(events)
        await fold.write(cursor, "invitations", ("message_id",))
