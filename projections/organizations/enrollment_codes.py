"""Organization codes (inline), with what lists show beside them."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.organizations.enrollment_codes import OrganizationCode, OrganizationCodeTaken
from projections.core.records import RecordTable
from projections.core.visibility import IN_READ_ORGANIZATION

ORGANIZATION_CODES = RecordTable(
    "organization_codes",
    OrganizationCode,
    OrganizationCodeTaken,
    order="r.code_key",
    visible=IN_READ_ORGANIZATION,
    derived=lambda fields: {"code_key": fields.code.lower()},
)


class Surroundings(NamedTuple):
    """The names of a code's organization and group, and how many people have signed up with it."""

    id: UUID
    name: str
    display_name: str
    group_name: str | None
    sign_ups: int


async def surroundings(cursor: AsyncCursor, ids: Iterable[UUID]) -> dict[UUID, Surroundings]:
    """Return the surroundings of codes by id."""
    rows = cursor.connection.cursor(row_factory=class_row(Surroundings))
    await rows.execute(_SURROUNDINGS, [list(ids)])
    return {row.id: row for row in await rows.fetchall()}


_SURROUNDINGS = """
SELECT c.id, n.name, n.display_name, g.name AS group_name, c.sign_ups
FROM organization_codes c JOIN organization_names n USING (organization_id)
LEFT JOIN groups g ON g.group_id = c.individual_group_id
WHERE c.id = ANY(%s)"""
