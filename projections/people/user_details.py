"""Facts about users from other tables: logins, roles, shares, and where they are members."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from projections.access.status import AccessStatus, access_statuses
from projections.core.visibility import SEES_SHARE_WITH_ORGANIZATION, SEES_SHARE_WITH_USER, Viewer


class Share(NamedTuple):
    """With whom an individual of the user's is shared; names are of organizations."""

    user_id: UUID
    type: str
    id: UUID
    name: str | None
    display_name: str | None


class HeldRole(NamedTuple):
    """A role that the user holds."""

    id: UUID
    name: str
    display_name: str
    organization_id: UUID
    organization_name: str
    organization_display_name: str


class Membership(NamedTuple):
    """An organization whose provider the user is."""

    id: UUID
    name: str
    display_name: str


@dataclass(frozen=True)
class Surroundings:
    """Facts about some users from other tables, by the users' ids."""

    last_logins: dict[UUID, datetime]
    administers: dict[UUID, set[UUID]]
    shares: dict[UUID, list[Share]]
    further_individuals: dict[UUID, list[UUID]]
    access: dict[UUID, AccessStatus]


async def surroundings(cursor: AsyncCursor, user_ids: Sequence[UUID], viewer: Viewer) -> Surroundings:
    """Return the facts about some users, a statement for each kind; of their shares those that the viewer is shown."""
    ids = list(user_ids)
    shares: dict[UUID, list[Share]] = {}
    rows = cursor.connection.cursor(row_factory=class_row(Share))
    await rows.execute(SHARES, {"users": ids, **viewer.parameters()}, prepare=True)
    for share in await rows.fetchall():
        shares.setdefault(share.user_id, []).append(share)
    administers: dict[UUID, set[UUID]] = {}
    further: dict[UUID, list[UUID]] = {}
    for user_id, organization_id in await _tuples(cursor, ADMINISTERED, ids):
        administers.setdefault(user_id, set()).add(organization_id)
    for user_id, individual_id in await _tuples(cursor, FURTHER_INDIVIDUALS, ids):
        further.setdefault(user_id, []).append(individual_id)
    return Surroundings(
        dict(await _tuples(cursor, LAST_LOGINS, ids)), administers, shares, further, await access_statuses(cursor, ids)
    )


async def _tuples(cursor: AsyncCursor, query: str, ids: list[UUID]) -> list[Any]:
    await cursor.execute(query, {"users": ids}, prepare=True)
    return await cursor.fetchall()


LAST_LOGINS = """
SELECT asked.id, latest.opened_at
FROM unnest(%(users)s::uuid[]) asked(id) CROSS JOIN LATERAL (
    SELECT opened_at FROM sessions s WHERE s.user_id = asked.id AND s.kind = 'password' ORDER BY opened_at DESC LIMIT 1
) latest
"""
ADMINISTERED = "SELECT user_id, organization_id FROM organization_users WHERE user_id = ANY(%(users)s) AND admin"
SHARES = f"""
SELECT i.owner_id AS user_id, 'organization' AS type, s.organization_id AS id, n.name, n.display_name
FROM access_individuals i
JOIN individual_organizations s USING (individual_id)
LEFT JOIN organization_names n USING (organization_id)
WHERE i.owner_id = ANY(%(users)s) AND s.shared
  AND {SEES_SHARE_WITH_ORGANIZATION.format(organization="s.organization_id", owner="i.owner_id")}
UNION
SELECT i.owner_id, 'user', s.user_id, NULL, NULL
FROM access_individuals i JOIN individual_users s USING (individual_id)
WHERE i.owner_id = ANY(%(users)s) AND {SEES_SHARE_WITH_USER.format(user="s.user_id", owner="i.owner_id")}
ORDER BY 2, 3
"""
FURTHER_INDIVIDUALS = """
SELECT i.owner_id, i.individual_id
FROM access_individuals i JOIN users u ON u.user_id = i.owner_id
WHERE i.owner_id = ANY(%(users)s) AND i.individual_id IS DISTINCT FROM u.individual_id ORDER BY 2
"""


async def roles_of(cursor: AsyncCursor, user_id: UUID, organizations: Sequence[UUID] | None) -> list[HeldRole]:
    """Return roles that the user holds, those of some organizations only unless None is given, by name and id."""
    rows = cursor.connection.cursor(row_factory=class_row(HeldRole))
    await rows.execute(
        """
        SELECT r.role_id AS id, r.name, r.display_name, n.organization_id, n.name AS organization_name,
               n.display_name AS organization_display_name
        FROM organization_users m
        JOIN roles r USING (organization_id)
        JOIN role_users h USING (role_id)
        JOIN organization_names n USING (organization_id)
        WHERE m.user_id = %(user)s AND h.user_id = %(user)s AND (%(all)s OR organization_id = ANY(%(organizations)s))
        ORDER BY r.name, r.role_id
        """,
        _within(user_id, organizations),
    )
    return await rows.fetchall()


async def organizations_of(
    cursor: AsyncCursor, user_id: UUID, organizations: Sequence[UUID] | None
) -> list[Membership]:
    """Return organizations whose provider the user is, of some only unless None is given, by name."""
    rows = cursor.connection.cursor(row_factory=class_row(Membership))
    await rows.execute(
        """
        SELECT n.organization_id AS id, n.name, n.display_name
        FROM organization_users m JOIN organization_names n USING (organization_id)
        WHERE m.user_id = %(user)s AND m.provider AND (%(all)s OR organization_id = ANY(%(organizations)s))
        ORDER BY n.name
        """,
        _within(user_id, organizations),
    )
    return await rows.fetchall()


def _within(user_id: UUID, organizations: Sequence[UUID] | None) -> dict[str, Any]:
    return {"user": user_id, "all": organizations is None, "organizations": list(organizations or ())}


async def insides(cursor: AsyncCursor, user_id: UUID) -> set[UUID]:
    """Return organizations that the user is inside of: as a provider, or by a shared individual (ruling E3)."""
    await cursor.execute(
        """
        SELECT organization_id FROM organization_users WHERE user_id = %(user)s AND provider
        UNION
        SELECT s.organization_id FROM access_individuals i JOIN individual_organizations s USING (individual_id)
        WHERE i.owner_id = %(user)s AND s.shared
        """,
        {"user": user_id},
    )
    return {row[0] for row in await cursor.fetchall()}
