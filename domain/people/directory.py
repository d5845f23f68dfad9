"""The port through which commands look users up by name, and people by group. Projections implement it."""

from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

from domain.groups.rosters import RosterKind
from domain.onboarding.referral_codes import ReferralCode
from domain.onboarding.service_documents import LatestDocument
from domain.people.login_names import LoginName


class Directory(Protocol):
    """Looks users up by name, and people by group. It never lags: the append's transaction writes its tables."""

    async def users_by_email(self, emails: Iterable[str]) -> dict[str, UUID]:
        """Return user ids by the given e-mail addresses, which are compared without case."""
        ...

    async def user_by_login(self, login: str) -> UUID | None:
        """Return the user who signs in with this e-mail address, phone number or user name."""
        ...

    async def users_named(self, names: Sequence[LoginName]) -> list[UUID]:
        """Return users with these login names, in the order of the names, each once."""
        ...

    async def open_requests(self, organization_id: UUID, names: Sequence[LoginName]) -> list[UUID]:
        """Return the organization's unclaimed onboarding requests for a person with one of these login names."""
        ...

    async def referral_code(self, code: str) -> ReferralCode | None:
        """Return what a referral code leads to; None for one that is unknown, expired or void."""
        ...

    async def invited_request(self, message_id: UUID) -> UUID | None:
        """Return the onboarding request that a message invites to."""
        ...

    async def unclaimed_requests(self, user_id: UUID) -> list[UUID]:
        """Return the unclaimed onboarding requests that are about the user."""
        ...

    async def registration_invitations(self, emails: Iterable[str], organization_id: UUID | None = None) -> list[UUID]:
        """Return unclaimed registration invitations of these addresses, those of one organization if it is given."""
        ...

    async def latest_documents(
        self, user_id: UUID | None, organization_ids: Sequence[UUID], sent: Sequence[UUID]
    ) -> list[LatestDocument]:
        """Return the latest service documents for all organizations, the newest first, and those of organizations.

        These are the given ones and those that the user is a provider of or shares an individual with. Documents of
        other organizations are returned if they are `sent`. Inactive organizations have none.
        """
        ...

    async def placements(self, individual_id: UUID, organization_id: UUID) -> list[UUID]:
        """Return the groups of the organization that directly contain the individual."""
        ...

    async def entries(self, user_id: UUID, organization_id: UUID) -> list[tuple[UUID, RosterKind]]:
        """Return (group id, "leader" or "member") for each roster entry of the user in the organization's groups."""
        ...

    async def leaders(self, group_id: UUID) -> list[UUID]:
        """Return the users who lead the group directly."""
        ...

    async def user_of_totp(self, configuration_id: UUID) -> UUID | None:
        """Return the user who has the TOTP configuration."""
        ...
