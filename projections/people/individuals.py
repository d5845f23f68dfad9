"""Individuals, their owners and shares, from tables that are kept in the appends' own transactions."""

from typing import Literal, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor

from projections.core.visibility import SEES_SHARE_WITH_ORGANIZATION, SEES_SHARE_WITH_USER, Viewer


class ShareRow(NamedTuple):
    """`operation` is None for organizations."""

    type: Literal["organization", "user"]
    id: UUID
    operation: Literal["read", "write"] | None


async def owner_of(cursor: AsyncCursor, individual_id: UUID) -> UUID | None:
    """Return the user or organization that owns the individual, None when there is no such individual."""
    await cursor.execute("SELECT owner_id FROM access_individuals WHERE individual_id = %s", [individual_id])
    row = await cursor.fetchone()
    return row[0] if row else None


async def shares_of(cursor: AsyncCursor, individual_id: UUID, viewer: Viewer) -> list[ShareRow]:
    """Return with whom the individual is shared, as far as the caller may know: organizations, then users, by id."""
    await cursor.execute(_SHARES, {"individual": individual_id, **viewer.parameters()})
    return [ShareRow(*row) for row in await cursor.fetchall()]


_SHARES = f"""
SELECT 'organization', s.organization_id AS id, NULL
FROM individual_organizations s JOIN access_individuals i USING (individual_id)
WHERE individual_id = %(individual)s AND s.shared
  AND {SEES_SHARE_WITH_ORGANIZATION.format(organization="s.organization_id", owner="i.owner_id")}
UNION ALL
SELECT 'user', s.user_id, CASE WHEN s.writes THEN 'write' ELSE 'read' END
FROM individual_users s JOIN access_individuals i USING (individual_id)
WHERE individual_id = %(individual)s AND {SEES_SHARE_WITH_USER.format(user="s.user_id", owner="i.owner_id")}
ORDER BY 1, 2
"""
