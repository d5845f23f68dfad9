"""Who may read which users (semantics 4, ruling E3), from tables that are kept in the appends' own transactions."""

from collections.abc import Iterable
from uuid import UUID

from psycopg import AsyncCursor

from projections.core.rows import fetched

# Staff, system administrators and services read everybody; a provider whoever is inside one of his organizations,
# that is its providers and the owners of individuals shared with it. Asked from those who are wanted: from the
# organization it would be everybody in it, 12 ms among 20,000 providers and 240 ms with their 75,000 patients.
READABLE_USERS = """
WITH caller AS (
    SELECT user_id, staff OR unlimited AS everybody FROM access_users WHERE user_id = %(caller)s AND live
), home AS (
    SELECT array_agg(o.organization_id) AS organizations FROM organization_users o JOIN caller USING (user_id)
    JOIN access_organizations a USING (organization_id)
    WHERE o.provider AND a.active
)
SELECT u.user_id
FROM access_users u
WHERE u.user_id = ANY(%(users)s) AND EXISTS (SELECT FROM caller) AND (
    u.user_id = %(caller)s
    OR u.service_name IS NULL AND (
        (SELECT everybody FROM caller)
        OR u.user_id IN (
            SELECT o.user_id FROM organization_users o
            WHERE o.user_id = ANY(%(users)s) AND o.provider AND o.organization_id = ANY((SELECT * FROM home)::uuid[])
        )
        OR u.user_id IN (
            SELECT i.owner_id FROM access_individuals i JOIN individual_organizations s USING (individual_id)
            WHERE i.owner_id = ANY(%(users)s) AND s.shared AND s.organization_id = ANY((SELECT * FROM home)::uuid[])
        )
    )
)
"""


async def readable_users(cursor: AsyncCursor, caller_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the users that the caller may read. Nobody for a caller who is not live."""
    await cursor.execute(READABLE_USERS, {"caller": caller_id, "users": list(set(user_ids))}, prepare=True)
    return {row[0] for row in await fetched(cursor)}
