"""Individuals, their owners and shares, from tables that are kept in the appends' own transactions."""

from typing import Literal, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor


class ShareRow(NamedTuple):
    """`operation` is None for organizations."""

    type: Literal["organization", "user"]
    id: UUID
    operation: Literal["read", "write"] | None


async def owner_of(cursor: AsyncCursor, individual_id: UUID) -> UUID | None:
    """The user or organization that owns the individual, None when there is no such individual."""
    await cursor.execute("SELECT owner_id FROM access_individuals WHERE individual_id = %s", [individual_id])
    row = await cursor.fetchone()
    return row[0] if row else None


async def shares_of(cursor: AsyncCursor, individual_id: UUID) -> list[ShareRow]:
    """With whom the individual is shared: organizations, then users, each by id."""
    await cursor.execute(_SHARES, {"individual": individual_id})
    return [ShareRow(*row) for row in await cursor.fetchall()]


_SHARES = """
SELECT 'organization', organization_id AS id, NULL FROM individual_organizations
WHERE individual_id = %(individual)s AND shared
UNION ALL
SELECT 'user', user_id, CASE WHEN writes THEN 'write' ELSE 'read' END FROM individual_users
WHERE individual_id = %(individual)s
ORDER BY 1, 2
"""
