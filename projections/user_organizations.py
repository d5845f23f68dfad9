"""Memberships of providers, from tables that are kept in the appends' own transactions."""

from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row


class UserOrganizationRow(NamedTuple):
    """`organizations` is in how many the user is."""

    user_id: UUID
    organization_id: UUID
    name: str
    display_name: str
    organizations: int


async def user_organizations(
    cursor: AsyncCursor,
    caller_id: UUID,
    *,
    everything: bool,
    user_id: UUID | None,
    organization_id: UUID | None,
    limit: int,
    offset: int,
) -> tuple[list[UserOrganizationRow], int]:
    """A page of memberships and how many there are: the caller's own, and those in organizations he may read."""
    parameters = {
        "caller": caller_id,
        "everything": everything,
        "user": user_id,
        "organization": organization_id,
        "limit": limit,
        "offset": offset,
    }
    conditions = [_READABLE]
    if user_id is not None:
        conditions.append("m.user_id = %(user)s")
    if organization_id is not None:
        conditions.append("m.organization_id = %(organization)s")
    where = " AND ".join(conditions)
    await cursor.execute(f"SELECT count(*) FROM organization_users m WHERE {where}", parameters)
    total = await cursor.fetchone()
    assert total is not None
    rows = cursor.connection.cursor(row_factory=class_row(UserOrganizationRow))
    await rows.execute(_ROWS.format(where=where), parameters)
    return await rows.fetchall(), int(total[0])


_READABLE = """
m.provider AND (%(everything)s OR m.user_id = %(caller)s OR m.organization_id IN (
    SELECT o.organization_id FROM organization_users o JOIN access_organizations a USING (organization_id)
    WHERE o.user_id = %(caller)s AND o.provider AND a.active))
"""
_ROWS = """
SELECT m.user_id, m.organization_id, n.name, n.display_name,
       (SELECT count(*) FROM organization_users each WHERE each.user_id = m.user_id AND each.provider) AS organizations
FROM organization_users m JOIN organization_names n USING (organization_id)
WHERE {where} ORDER BY m.user_id, m.organization_id LIMIT %(limit)s OFFSET %(offset)s
"""
