"""What delivery services report of invitations (rulings K59 and K100)."""

from dataclasses import dataclass
from uuid import UUID

from domain.core.errors import NotFound
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.onboarding.invites import InviteStatus
from domain.onboarding.requests import OnboardingRequest
from domain.people.directory import Directory


class MessageNotFound(NotFound):
    """No invitation has a message with this id."""


@dataclass(frozen=True, eq=False)
class InvitationReports:
    """Records reports of delivery services."""

    store: Store
    directory: Directory

    @retry_on_conflict
    async def record(self, principal: Principal, message_id: UUID, status: InviteStatus, error: str | None) -> int:
        """Record the status of a message, if it counts. Return the position. Raises Forbidden, MessageNotFound."""
        principal.require_service()
        request_id = await self.directory.invited_request(message_id)
        if request_id is None:
            raise MessageNotFound
        request = await self.store.get(OnboardingRequest, request_id)
        request.record_report(message_id, status, error)
        return await self.store.save(request)
