"""The people inside organizations, kept by the users projection: a part of its fold, with tables of its own.

Lists of an organization's people page through this table; the same from the tables that decide access would join all
individuals shared with the organization for every page (1 s at 75,000; this way 1 ms). It has the
columns that lists filter and sort by too, so its indexes alone find the page and the total.
"""

from collections.abc import Iterable
from uuid import UUID

from psycopg import AsyncCursor

from domain.people.individuals import Individual
from projections.core.fold import Fold, handler
from projections.core.projection import PersonalColumns
from projections.core.rows import Row, replace

TABLES = ("user_individuals", "user_shares", "organization_people")
COPIED = (
    "listed", "archived", "enabled", "email_verified", "classification", "registration_invite", "modified_at",
    "email_text", "first_name_key", "last_name_key",
)  # fmt: skip
"""Columns of `users` that the table has as well."""

PERSONAL = PersonalColumns(
    table="organization_people", subject="user_id", columns=("email_text", "first_name_key", "last_name_key")
)

REPLACE = f"""
INSERT INTO organization_people (organization_id, user_id, provider, participant, {", ".join(COPIED)})
SELECT inside.organization_id, u.user_id, bool_or(inside.provider), bool_or(NOT inside.provider),
       {", ".join(f"u.{name}" for name in COPIED)}
FROM users u CROSS JOIN LATERAL (
    SELECT unnest(u.organization_ids) AS organization_id, true AS provider
    UNION ALL
    SELECT s.organization_id, false FROM user_individuals i JOIN user_shares s USING (individual_id)
    WHERE i.owner_id = u.user_id
) inside
WHERE u.user_id = ANY(%s)
GROUP BY inside.organization_id, u.user_id
"""


class OrganizationPeopleFold(Fold):
    """A batch's last word on owners and shares; None is an owner who is no user."""

    def __init__(self) -> None:
        self._owners: dict[UUID, Row | None] = {}
        self._shares: dict[tuple[UUID, UUID], bool] = {}

    @handler
    def set_owner(self, event: Individual.Created | Individual.OwnerChanged) -> None:
        row = {"individual_id": event.originator_id, "owner_id": event.owner_id}
        self._owners[event.originator_id] = row if event.owner_type == "user" else None

    @handler
    def share(self, event: Individual.SharedWithOrganization) -> None:
        self._shares[event.originator_id, event.organization_id] = True

    @handler
    def unshare(self, event: Individual.UnsharedFromOrganization) -> None:
        self._shares[event.originator_id, event.organization_id] = False

    async def write(self, cursor: AsyncCursor, users: Iterable[UUID]) -> None:
        """Write, after the users, their rows, and those of former and present owners of individuals that changed."""
        individuals = list({*self._owners, *(individual for individual, _ in self._shares)})
        touched = {*users, *await _owners_of(cursor, individuals)}
        await replace(cursor, "user_individuals", ("individual_id",), self._owners)
        await self._write_shares(cursor)
        touched |= await _owners_of(cursor, individuals)
        if touched:
            await cursor.execute("DELETE FROM organization_people WHERE user_id = ANY(%s)", [list(touched)])
            await cursor.execute(REPLACE, [list(touched)])

    async def _write_shares(self, cursor: AsyncCursor) -> None:
        keys = ("individual_id", "organization_id")
        rows = {key: dict(zip(keys, key, strict=True)) if shared else None for key, shared in self._shares.items()}
        await replace(cursor, "user_shares", keys, rows)


async def _owners_of(cursor: AsyncCursor, individuals: list[UUID]) -> set[UUID]:
    if not individuals:
        return set()
    await cursor.execute("SELECT owner_id FROM user_individuals WHERE individual_id = ANY(%s)", [individuals])
    return {row[0] for row in await cursor.fetchall()}
