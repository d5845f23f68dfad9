"""Who is behind an address, a name or a group, as commands ask it; projections implement it."""

from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

from domain.groups.rosters import RosterKind
from domain.people.login_names import LoginName


class Directory(Protocol):
    """Who is behind an address, a name or a group. Never stale: kept in the appends' own transactions."""

    async def users_by_email(self, emails: Iterable[str]) -> dict[str, UUID]:
        """User ids by the e-mail address as given; addresses are compared without case."""
        ...

    async def user_by_login(self, login: str) -> UUID | None:
        """The user who signs in with this e-mail address, phone number or user name."""
        ...

    async def users_named(self, names: Sequence[LoginName]) -> list[UUID]:
        """Users with these names, in the order of the names, each once. A name finds users by its kind only."""
        ...

    async def open_requests(self, organization_id: UUID, names: Sequence[LoginName]) -> list[UUID]:
        """Onboarding requests of the organization for a person with one of the names that nobody has claimed yet."""
        ...

    async def placements(self, individual_id: UUID, organization_id: UUID) -> list[UUID]:
        """Groups of the organization that the individual stands in directly."""
        ...

    async def entries(self, user_id: UUID, organization_id: UUID) -> list[tuple[UUID, RosterKind]]:
        """(group id, "leader" or "member") of the user's rows in the organization's groups."""
        ...

    async def leaders(self, group_id: UUID) -> list[UUID]:
        """Users who lead the group directly."""
        ...
