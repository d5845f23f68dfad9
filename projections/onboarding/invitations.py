"""Invitations and whether they still wait to be sent: what a dead job left behind shows here."""

from collections.abc import Sequence

from psycopg import AsyncCursor

from domain.core.recorded import Recorded
from domain.onboarding.requests import OnboardingRequest
from projections.core.fold import Fold, handler
from projections.core.projection import Projection
from projections.core.rows import Row, insert, update


class InvitationsFold(Fold):
    """The rows of messages that were issued, and what changes in those of messages that left or failed."""

    def __init__(self) -> None:
        self.issued: list[Row] = []
        self.ended: list[Row] = []

    @handler
    def issue(self, event: OnboardingRequest.InvitationIssued) -> None:
        self.issued.append(
            {
                "message_id": event.message_id,
                "request_id": event.originator_id,
                "channel": event.channel,
                "pending": True,
                "issued_position": self.position,
            }
        )

    @handler
    def end(self, event: OnboardingRequest.InvitationSent | OnboardingRequest.InvitationFailed) -> None:
        self.ended.append({"message_id": event.message_id, "pending": False})


class InvitationsProjection(Projection):
    """A row per message that invites a person: made when it is issued, changed when it left or failed."""

    name = "invitations"
    events = InvitationsFold.events

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """Write new ones first: a message may be issued and sent in one batch."""
        fold = await InvitationsFold().add_all(events)
        await insert(cursor, "invitations", fold.issued)
        await update(cursor, "invitations", ("message_id",), fold.ended)
