"""The onboarding requests of users, and what their invitations tell of users who were made with them (background)."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import dict_row

from domain.onboarding.requests import OnboardingRequest
from projections.core.fold import Fold, handler
from projections.core.projection import Recorded, WriteCursor
from projections.core.rows import upsert

TABLE = "user_onboarding_requests"


class UserRequestsFold(Fold):
    """The rows of requests as a batch leaves them, from those that it may change as they are.

    `states` is what `registration-invite` of users becomes (semantics 3). A request about somebody known changes
    nothing of them.
    """

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.states: dict[UUID, Literal["failed", "sent"]] = {}
        self._rows = {row["request_id"]: row for row in rows}

    @handler
    def create(self, event: OnboardingRequest.Created) -> None:
        self._rows[event.originator_id] = {
            "request_id": event.originator_id,
            "user_id": event.user_id,
            "organization_id": event.organization_id,
            "new_user": event.new_user,
            "invites": {},
        }

    @handler
    def readdress(self, event: OnboardingRequest.Readdressed) -> None:
        row = self._rows[event.originator_id]
        if event.user_id != row["user_id"]:
            row.update(user_id=event.user_id, new_user=event.new_user)

    @handler
    def repoint(self, event: OnboardingRequest.Repointed) -> None:
        self._rows[event.originator_id].update(user_id=event.user_id, new_user=False)

    @handler
    def issue(self, event: OnboardingRequest.InvitationIssued) -> None:
        invites = self._rows[event.originator_id]["invites"]
        invites[event.channel] = {"id": str(event.message_id), "status": "created"}

    @handler
    def reach(
        self,
        event: OnboardingRequest.InvitationSent
        | OnboardingRequest.InvitationDelivered
        | OnboardingRequest.InvitationResponded,
    ) -> None:
        self._become(event, "sent")

    @handler
    def fail(self, event: OnboardingRequest.InvitationFailed | OnboardingRequest.InvitationUndelivered) -> None:
        self._become(event, "failed")

    def _become(self, event: Any, status: Literal["failed", "sent"]) -> None:
        row = self._rows[event.originator_id]
        for invite in row["invites"].values():
            if invite["id"] == str(event.message_id):
                invite["status"] = status
        known = {invite["status"] for invite in row["invites"].values()}
        if row["new_user"] and "sent" in known:
            self.states[row["user_id"]] = "sent"
        elif row["new_user"] and known == {"failed"}:
            self.states[row["user_id"]] = "failed"

    async def write(self, cursor: WriteCursor) -> None:
        """Write the rows."""
        await upsert(cursor, TABLE, ("request_id",), self._rows.values())


async def touched_requests(cursor: AsyncCursor, events: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Return the rows of the requests that the events are about."""
    ids = [event.originator_id for _, event in events if isinstance(event, UserRequestsFold.events)]
    rows = cursor.connection.cursor(row_factory=dict_row)
    await rows.execute(
        f"SELECT request_id, user_id, organization_id, new_user, invites FROM {TABLE} WHERE request_id = ANY(%s)", [ids]
    )
    return await rows.fetchall()
