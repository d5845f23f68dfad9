"""What everybody may know of an organization code."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row


class CodeInfo(NamedTuple):
    """What everybody may know of a code."""

    code: str
    organization_id: UUID
    enrollment_schema: str | None
    name: str
    display_name: str


async def open_code(cursor: AsyncCursor, code_id: UUID) -> CodeInfo | None:
    """Return a code that people can sign up with now, None for any other (rulings K3, K107)."""
    rows = cursor.connection.cursor(row_factory=class_row(CodeInfo))
    await rows.execute(_OPEN, {"id": code_id, "now": datetime.now(UTC)})
    return await rows.fetchone()


_OPEN = """
SELECT c.code, c.organization_id, c.enrollment_schema, n.name, n.display_name
FROM organization_codes c JOIN organization_names n USING (organization_id)
JOIN access_organizations o USING (organization_id)
WHERE c.id = %(id)s AND (c.expires_at IS NULL OR c.expires_at > %(now)s) AND o.active AND NOT o.staffed"""
