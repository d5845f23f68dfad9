"""Registration invitations (inline): each address has one unclaimed invitation of an organization."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.core.errors import DomainError
from domain.core.ports import Lookup
from domain.onboarding.registration_invitations import AlreadyInvited, RegistrationInvitation
from domain.people.login_names import LoginName, email_key
from projections.core.projection import Event, InlineProjection, PersonalColumns, Recorded, WriteCursor
from projections.core.rows import UNPAGED, insert, update
from projections.people.identifiers import hash_of

TABLE = "registration_invitations"


class InvitationRow(NamedTuple):
    """A registration invitation as lists show it."""

    id: UUID
    invited_email: str | None
    created_by: UUID
    created_at: datetime
    claimed_at: datetime | None


class RegistrationInvitationsProjection(InlineProjection):
    """Creations and claims are written in their order: an address may be invited again after the claim."""

    name = TABLE
    events: tuple[type[Event], ...] = (RegistrationInvitation.Created, RegistrationInvitation.Claimed)
    personal = (PersonalColumns(TABLE, "id", ("invited_email",)),)

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    @property
    def unique_violations(self) -> Mapping[str, type[DomainError]]:
        return {"registration_invitations_unclaimed": AlreadyInvited}

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        for kind, run in groupby((recorded.event for recorded in events), key=type):
            if issubclass(kind, RegistrationInvitation.Created):
                await insert(cursor, TABLE, map(self._row, run))
            else:
                claims = ({"id": event.originator_id, "claimed_at": event.timestamp} for event in run)
                await update(cursor, TABLE, ("id",), claims)

    def _row(self, event: Any) -> dict[str, Any]:
        address = event.email.value
        hashed = None if address is None else f"\\x{address_hash(self._lookup, address).hex()}"
        return {
            "id": event.originator_id,
            "organization_id": event.organization_id,
            "invited_email": address,
            "address": hashed,
            "created_by": event.created_by,
            "created_at": event.timestamp,
        }


def address_hash(lookup: Lookup, email: str) -> bytes:
    """Return the keyed hash by which invitations of an address are found, the same as that of login names."""
    return hash_of(lookup, LoginName("email", email_key(email)))


async def unclaimed(
    cursor: AsyncCursor, lookup: Lookup, emails: Iterable[str], organization_id: UUID | None = None
) -> list[UUID]:
    """Return unclaimed invitations of the addresses, those of one organization only if it is given."""
    await cursor.execute(
        f"SELECT id FROM {TABLE} WHERE address = ANY(%(addresses)s) AND claimed_at IS NULL"
        " AND (%(organization)s::uuid IS NULL OR organization_id = %(organization)s) ORDER BY 1",
        {"addresses": [address_hash(lookup, email) for email in emails], "organization": organization_id},
    )
    return [row[0] for row in await cursor.fetchall()]


_SELECT = f"SELECT {', '.join(InvitationRow._fields)} FROM {TABLE} WHERE"
_ORDER = f"ORDER BY created_at DESC, id LIMIT {UNPAGED}"


async def page(cursor: AsyncCursor, organization_ids: Iterable[UUID] | None) -> list[InvitationRow]:
    """Return the invitations of organizations, or all for None, the newest first."""
    rows = cursor.connection.cursor(row_factory=class_row(InvitationRow))
    condition = "true" if organization_ids is None else "organization_id = ANY(%(organizations)s)"
    await rows.execute(f"{_SELECT} {condition} {_ORDER}", {"organizations": list(organization_ids or ())})
    return await rows.fetchall()


async def one(
    cursor: AsyncCursor, organization_ids: Iterable[UUID] | None, invitation_id: UUID
) -> InvitationRow | None:
    """Return an invitation of one of the organizations, or of any for None; None when there is none."""
    rows = cursor.connection.cursor(row_factory=class_row(InvitationRow))
    condition = "true" if organization_ids is None else "organization_id = ANY(%(organizations)s)"
    parameters = {"organizations": list(organization_ids or ()), "id": invitation_id}
    await rows.execute(f"{_SELECT} id = %(id)s AND {condition}", parameters)
    return await rows.fetchone()
