"""Implements `domain.people.directory.Directory` over tables that are kept in the appends' own transactions."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.ports import Lookup
from domain.groups.rosters import RosterKind
from domain.onboarding.referral_codes import ReferralCode
from domain.onboarding.service_documents import LatestDocument
from domain.people.login_names import LoginName
from projections.core.projection import Reader
from projections.onboarding import agreements, referral_codes, registration_invitations
from projections.onboarding import requests as onboarding_requests
from projections.people import identifiers, totp


class InlineDirectory:
    """Every question is one statement."""

    def __init__(self, reader: Reader, lookup: Lookup) -> None:
        self._reader = reader
        self._lookup = lookup

    async def users_by_email(self, emails: Iterable[str]) -> dict[str, UUID]:
        addresses = list(emails)
        return await self._reader.ask(lambda cursor: identifiers.users_by_email(cursor, self._lookup, addresses))

    async def user_by_login(self, login: str) -> UUID | None:
        return await self._reader.ask(lambda cursor: identifiers.user_by_login(cursor, self._lookup, login))

    async def users_named(self, names: Sequence[LoginName]) -> list[UUID]:
        return await self._reader.ask(lambda cursor: identifiers.users_named(cursor, self._lookup, names))

    async def open_requests(self, organization_id: UUID, names: Sequence[LoginName]) -> list[UUID]:
        return await self._reader.ask(
            lambda cursor: onboarding_requests.open_requests(cursor, self._lookup, organization_id, names)
        )

    async def referral_code(self, code: str) -> ReferralCode | None:
        return await self._reader.ask(lambda cursor: referral_codes.valid_code(cursor, code))

    async def invited_request(self, message_id: UUID) -> UUID | None:
        found = await self._column("SELECT request_id FROM referral_codes WHERE message_id = %s", message_id)
        return found[0] if found else None

    async def unclaimed_requests(self, user_id: UUID) -> list[UUID]:
        return await self._reader.ask(lambda cursor: referral_codes.unclaimed_requests(cursor, user_id))

    async def registration_invitations(self, emails: Iterable[str], organization_id: UUID | None = None) -> list[UUID]:
        addresses = list(emails)
        return await self._reader.ask(
            lambda cursor: registration_invitations.unclaimed(cursor, self._lookup, addresses, organization_id)
        )

    async def latest_documents(
        self, user_id: UUID | None, organization_ids: Sequence[UUID], sent: Sequence[UUID]
    ) -> list[LatestDocument]:
        return await self._reader.ask(
            lambda cursor: agreements.latest_documents(cursor, user_id, organization_ids, sent)
        )

    async def placements(self, individual_id: UUID, organization_id: UUID) -> list[UUID]:
        return await self._column(
            "SELECT group_id FROM group_individuals WHERE individual_id = %s AND organization_id = %s ORDER BY 1",
            individual_id,
            organization_id,
        )

    async def entries(self, user_id: UUID, organization_id: UUID) -> list[tuple[UUID, RosterKind]]:
        return await self._rows(
            "SELECT group_id, kind FROM group_users WHERE user_id = %s AND organization_id = %s ORDER BY 1, 2",
            user_id,
            organization_id,
        )

    async def leaders(self, group_id: UUID) -> list[UUID]:
        return await self._column(
            "SELECT user_id FROM group_users WHERE group_id = %s AND kind = 'leader' ORDER BY 1", group_id
        )

    async def user_of_totp(self, configuration_id: UUID) -> UUID | None:
        return next(iter(await self._column(totp.OWNER_OF, configuration_id)), None)

    async def _rows(self, query: str, *parameters: Any) -> list[Any]:
        async def rows(cursor: AsyncCursor) -> list[Any]:
            await cursor.execute(query, parameters, prepare=True)
            return await cursor.fetchall()

        return await self._reader.ask(rows)

    async def _column(self, query: str, *parameters: Any) -> list[UUID]:
        return [row[0] for row in await self._rows(query, *parameters)]
