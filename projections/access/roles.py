"""Roles as lists show them (background)."""

from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.access.roles import Role
from projections.core.event_rows import EventRows
from projections.core.visibility import Viewer


class RoleRow(NamedTuple):
    role_id: UUID
    name: str
    display_name: str
    organization_id: UUID
    organization_name: str
    organization_display_name: str


class RolesProjection(EventRows):
    name = "roles"
    events = (Role.Created,)
    id_column = "role_id"
    fields = ("organization_id", "name", "display_name")


async def roles(
    cursor: AsyncCursor,
    viewer: Viewer,
    *,
    organization_id: UUID | None = None,
    name: str | None = None,
) -> list[RoleRow]:
    """Return the roles of the organizations that the viewer may read, or of one of them."""
    conditions = [viewer.reads_organization("r.organization_id")]
    if organization_id is not None:
        conditions.append("r.organization_id = %(organization)s")
    if name is not None:
        conditions.append("r.name = %(name)s")
    rows = cursor.connection.cursor(row_factory=class_row(RoleRow))
    await rows.execute(
        _ROWS.format(where=" AND ".join(conditions)),
        viewer.parameters() | {"organization": organization_id, "name": name},
    )
    return await rows.fetchall()


_ROWS = """
SELECT r.role_id, r.name, r.display_name, r.organization_id,
       n.name AS organization_name, n.display_name AS organization_display_name
FROM roles r JOIN organization_names n USING (organization_id)
WHERE {where} ORDER BY r.name, r.role_id
"""


async def is_shown(cursor: AsyncCursor, viewer: Viewer, role_id: UUID) -> bool:
    """Return whether the viewer may read the organization whose role it is, and so who holds it."""
    where = f"r.role_id = %(role)s AND {viewer.reads_organization('r.organization_id')}"
    await cursor.execute(f"SELECT FROM access_roles r WHERE {where}", viewer.parameters() | {"role": role_id})
    return await cursor.fetchone() is not None
