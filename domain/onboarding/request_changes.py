"""Commands on onboarding requests that exist: sending the invitation again."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID, uuid4

from domain.core.codes import hash_of_code
from domain.core.messages import Channel
from domain.core.permissions import Permissions
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.onboarding.referral_codes import ReferralCodes
from domain.onboarding.request_permissions import OnboardingPermissions, OnboardingRequestNotFound
from domain.onboarding.requests import OnboardingRequest, RequestClaimed


class Resends(Protocol):
    """Limits how often the invitations of a request are sent again (ruling K25)."""

    async def count(self, request_id: UUID) -> None:
        """Count one more time. Raises TooMany when there were too many lately."""
        ...


class RequestChanges:
    """Commands on onboarding requests that exist."""

    def __init__(
        self,
        store: Store,
        permissions: Permissions,
        resends: Resends,
        codes: ReferralCodes,
    ) -> None:
        self._store = store
        self._resends = resends
        self._codes = codes
        self._permissions = OnboardingPermissions(store, permissions)

    async def resend(self, principal: Principal, request_id: UUID) -> tuple[OnboardingRequest, int]:
        """Send the invitation again, over every channel that has a contact. Return the request and the position.

        The new messages have new codes; earlier codes stay valid. Raises RequestClaimed, TooMany, and the refusals of
        `OnboardingPermissions.require_changeable`.
        """
        await self.changeable(principal, request_id)
        await self._resends.count(request_id)
        return await self._resend(principal, request_id)

    async def changeable(self, principal: Principal, request_id: UUID) -> OnboardingRequest:
        """Return the request. Raises RequestClaimed, and the refusals of `OnboardingPermissions.require_changeable`."""
        request = await self._store.find(OnboardingRequest, request_id)
        if request is None:
            raise OnboardingRequestNotFound
        await self._permissions.require_changeable(principal, request)
        if request.done:
            raise RequestClaimed
        return request

    @retry_on_conflict
    async def _resend(self, principal: Principal, request_id: UUID) -> tuple[OnboardingRequest, int]:
        request = await self.changeable(principal, request_id)
        invite(request, request.reachable, self._codes)
        return request, await self._store.save(request)


def invite(request: OnboardingRequest, channels: Sequence[Channel], codes: ReferralCodes) -> None:
    """Issue an invitation over each of the channels."""
    for channel in channels:
        message_id = uuid4()
        request.invite(message_id, channel, hash_of_code(codes.code(message_id)), codes.lifetime)
