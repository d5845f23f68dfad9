"""Memberships of providers, from tables that are kept in the appends' own transactions."""

from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from projections.core.visibility import Viewer


class UserOrganizationRow(NamedTuple):
    """`organizations` is in how many the user is."""

    user_id: UUID
    organization_id: UUID
    name: str
    display_name: str
    organizations: int


async def user_organizations(
    cursor: AsyncCursor,
    viewer: Viewer,
    *,
    user_id: UUID | None,
    organization_id: UUID | None,
    limit: int,
    offset: int,
) -> tuple[list[UserOrganizationRow], int]:
    """Return a page of memberships and their number: the viewer's own, and those in organizations they may read."""
    conditions = ["m.provider"]
    if user_id is not None:
        conditions.append("m.user_id = %(user)s")
    if organization_id is not None:
        conditions.append("m.organization_id = %(organization)s")
    if user_id != viewer.user_id:
        conditions.append(viewer.reads_membership("m"))
    where = " AND ".join(conditions)
    parameters = {
        **viewer.parameters(), "user": user_id, "organization": organization_id, "limit": limit, "offset": offset
    }  # fmt: skip
    await cursor.execute(f"SELECT count(*) FROM organization_users m WHERE {where}", parameters)
    total = await cursor.fetchone()
    assert total is not None
    rows = cursor.connection.cursor(row_factory=class_row(UserOrganizationRow))
    await rows.execute(_ROWS.format(where=where), parameters)
    return await rows.fetchall(), int(total[0])


# The page first: nothing is looked up for the rows before it.
_ROWS = """
SELECT user_id, organization_id, n.name, n.display_name,
       (SELECT count(*) FROM organization_users each WHERE each.user_id = page.user_id AND each.provider)
           AS organizations
FROM (SELECT m.user_id, m.organization_id FROM organization_users m
      WHERE {where} ORDER BY m.user_id, m.organization_id LIMIT %(limit)s OFFSET %(offset)s) page
JOIN organization_names n USING (organization_id) ORDER BY user_id, organization_id
"""
