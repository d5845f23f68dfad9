"""The time of the last event that touched a user's access, derived from stamps when asked (semantics, 6.4).

An event stamps its subjects: user, individual, group and organization. A move stamps two groups, however many people
are below them. A group has two stamps: `touched_at` (its individuals) counts for entries in it and above it, `moved_at`
(its parent) also for those below it. A group that left an ancestor stamps the parent that it left.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor


class AccessStatus(NamedTuple):
    """`latest_event_at` is the time of the last event that touches the user's access."""

    last_populated_at: datetime | None
    latest_event_at: datetime

    @property
    def up_to_date(self) -> bool:
        """Whether what answers the user's checks has applied that event."""
        return self.last_populated_at is not None and self.last_populated_at >= self.latest_event_at


_LATEST = """
WITH theirs AS (
    SELECT individual_id, touched_at FROM access_individuals WHERE owner_id = %(user)s
    UNION ALL
    SELECT i.individual_id, i.touched_at FROM individual_users s JOIN access_individuals i USING (individual_id)
    WHERE s.user_id = %(user)s
), entries AS (
    SELECT group_id FROM group_users WHERE user_id = %(user)s
    UNION
    SELECT p.group_id FROM access_individuals i JOIN group_individuals p USING (individual_id)
    WHERE i.owner_id = %(user)s
), stamps(at) AS (
    SELECT max(touched_at) FROM theirs
    UNION ALL
    SELECT max(g.moved_at) FROM entries JOIN access_groups g USING (group_id)
    UNION ALL
    SELECT max(above.moved_at) FROM entries
    JOIN group_closure c ON c.descendant_id = entries.group_id
    JOIN access_groups above ON above.group_id = c.ancestor_id
    UNION ALL
    SELECT max(greatest(below.moved_at, below.touched_at)) FROM group_users s
    JOIN group_closure c ON c.ancestor_id = s.group_id
    JOIN access_groups below ON below.group_id = c.descendant_id
    WHERE s.user_id = %(user)s
    UNION ALL
    SELECT max(greatest(o.authorization_at, CASE WHEN p.admin OR o.open THEN o.touched_at END))
    FROM organization_users p JOIN access_organizations o USING (organization_id)
    WHERE p.user_id = %(user)s
)
SELECT greatest(u.touched_at, (SELECT max(at) FROM stamps)) FROM access_users u WHERE u.user_id = %(user)s
"""

# The same of several users at once: what names the user becomes the row's.
_LATEST_OF_SEVERAL = f"""
SELECT asked.id, found.latest
FROM unnest(%(users)s::uuid[]) asked(id) CROSS JOIN LATERAL ({_LATEST.replace("%(user)s", "asked.id")}) found(latest)
"""

# Times of different processes' events may differ from their order by a little; none of them is missing.
_APPLIED = """
SELECT recorded_at FROM events ORDER BY notification_id DESC LIMIT 1
"""


async def access_status(cursor: AsyncCursor, user_id: UUID) -> AccessStatus | None:
    """Return the status of a user, None for an unknown one.

    The tables that decide access are never behind, so everything in the log is applied.
    """
    await cursor.execute(_LATEST, {"user": user_id}, prepare=True)
    row = await cursor.fetchone()
    if row is None:
        return None
    latest: datetime = row[0]
    await cursor.execute(_APPLIED, prepare=True)
    applied = await cursor.fetchone()
    return AccessStatus(max(applied[0], latest) if applied else None, latest)


async def access_statuses(cursor: AsyncCursor, user_ids: Sequence[UUID]) -> dict[UUID, AccessStatus]:
    """Return the statuses of those of the users that exist."""
    await cursor.execute(_LATEST_OF_SEVERAL, {"users": list(user_ids)}, prepare=True)
    latest: dict[UUID, datetime] = dict(await cursor.fetchall())
    await cursor.execute(_APPLIED, prepare=True)
    applied = await cursor.fetchone()
    return {user_id: AccessStatus(max(applied[0], at) if applied else None, at) for user_id, at in latest.items()}
