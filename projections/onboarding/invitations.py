"""Invitations and whether they still wait to be sent: what a dead job left behind shows here."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncCursor

from domain.core.recorded import Recorded
from domain.onboarding.requests import OnboardingRequest
from projections.core.projection import Projection


class InvitationsProjection(Projection):
    """A row per message that invites a person: made when it is issued, changed when it left or failed."""

    name = "invitations"
    events = (
        OnboardingRequest.InvitationIssued,
        OnboardingRequest.InvitationSent,
        OnboardingRequest.InvitationFailed,
    )

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """Write new ones first: a message may be issued and sent in one batch."""
        issued: list[Any] = [each for each in events if isinstance(each.event, OnboardingRequest.InvitationIssued)]
        ended: list[Any] = [
            each.event for each in events if not isinstance(each.event, OnboardingRequest.InvitationIssued)
        ]
        if issued:
            await cursor.execute(
                _ISSUE,
                (
                    [each.event.message_id for each in issued],
                    [each.event.originator_id for each in issued],
                    [each.event.channel for each in issued],
                    [each.position for each in issued],
                ),
            )
        if ended:
            await cursor.execute(
                "UPDATE invitations SET pending = false WHERE message_id = ANY(%s)",
                ([each.message_id for each in ended],),
            )


_ISSUE = """
INSERT INTO invitations (message_id, request_id, channel, pending, issued_position)
SELECT id, request, channel, true, position
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[]) AS new(id, request, channel, position)
"""
