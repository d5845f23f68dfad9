"""Who reads groups, turned around for lists: what a user sees, as conditions that an index can answer.

The same rules as `access_policy` (semantics 6.2): a check starts from a group, a list from the user. A user sees
everything; or the groups of whole organizations; or those that he leads or belongs to, with everything below.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from projections.access.policy import POLICIES, SEATED


class Viewer(NamedTuple):
    """A user's standing. `whole` are organizations all of whose groups he reads, `administered` some of them.

    `belongs` tells whether he is a provider or administrator anywhere: who is not, is a participant. `entries` tells
    whether he leads or belongs to any group.
    """

    user_id: UUID
    unlimited: bool
    staff: bool
    belongs: bool
    entries: bool
    whole: list[UUID]
    administered: list[UUID]
    closed: list[UUID]

    @property
    def participant(self) -> bool:
        """Whether groups are none of his business (semantics 4)."""
        return not (self.unlimited or self.staff or self.belongs)

    @property
    def only_staff(self) -> bool:
        """Whether nothing but being staff lets him read groups: then he sees no individuals (ruling A2)."""
        return self.staff and not (self.unlimited or self.whole or self.entries)

    def governs(self, organization_id: UUID) -> bool:
        """Whether all attributes of the organization's people are shown to them."""
        return self.unlimited or organization_id in self.administered

    def parameters(self) -> dict[str, Any]:
        """What the conditions refer to."""
        return {
            "viewer": self.user_id,
            "whole": self.whole,
            "administered": self.administered,
            "closed": self.closed,
        }

    def reads_people(self, alias: str, *, few: bool) -> str:
        """The condition on rows with a group and its organization that he reads the active group and its people.

        `few` tells whether it is asked of few rows.
        """
        if self.unlimited:
            return "true"
        paths = []
        if self.whole:
            active = _ACTIVE if few else _NOT_INACTIVE
            paths.append(f"{alias}.organization_id = ANY(%(whole)s) AND {active.format(alias=alias)}")
        if self.entries:
            paths.append(seated_above(alias) if few else seated(alias))
        return f"({' OR '.join(paths)})" if paths else "false"

    def reads_as_staff(self, alias: str) -> str:
        """The condition that he reads the group, if not its people, by being staff."""
        return _AS_STAFF.format(alias=alias) if self.staff else "false"


def seated(alias: str, kinds: str = SEATED) -> str:
    """The condition that the viewer sits in the active group or above it, for many groups: looked up once."""
    return f"{alias}.group_id IN ({_BELOW_SEATS.format(kinds=kinds)})"


def seated_above(alias: str, kinds: str = SEATED) -> str:
    """The same for few groups: looked up for each. OFFSET keeps Postgres from joining all that the viewer sees."""
    return f"EXISTS ({_BELOW_SEATS.format(kinds=kinds)} AND c.descendant_id = {alias}.group_id OFFSET 0)"


async def viewer(cursor: AsyncCursor, user_id: UUID) -> Viewer:
    """The standing of a user; of one who is not live, nothing at all."""
    rows = cursor.connection.cursor(row_factory=class_row(Viewer))
    await rows.execute(_VIEWER, {"user": user_id}, prepare=True)
    found = await rows.fetchone()
    if found is None:
        return Viewer(
            user_id, unlimited=False, staff=False, belongs=False, entries=False, whole=[], administered=[], closed=[]
        )
    return found


async def groups_with_people(cursor: AsyncCursor, user_id: UUID, group_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the groups whose individuals the user may see: he reads them, and not only as staff (ruling A2)."""
    await cursor.execute(_WITH_PEOPLE, {"user": user_id, "groups": list(group_ids)}, prepare=True)
    return {row[0] for row in await cursor.fetchall()}


_VIEWER = """
WITH standing AS (
    SELECT p.organization_id, p.admin, p.admin OR o.open AND p.provider AS whole
    FROM organization_users p JOIN access_organizations o USING (organization_id)
    WHERE p.user_id = %(user)s AND o.active AND (p.admin OR p.provider)
)
SELECT u.user_id, u.unlimited, u.staff, EXISTS (SELECT FROM standing) AS belongs,
       EXISTS (SELECT FROM group_users s WHERE s.user_id = u.user_id) AS entries,
       ARRAY(SELECT organization_id FROM standing WHERE whole ORDER BY 1) AS whole,
       ARRAY(SELECT organization_id FROM standing WHERE admin ORDER BY 1) AS administered,
       ARRAY(SELECT organization_id FROM access_organizations WHERE NOT active ORDER BY 1) AS closed
FROM access_users u WHERE u.user_id = %(user)s AND u.live
"""
_ACTIVE = "EXISTS (SELECT FROM access_groups a WHERE a.group_id = {alias}.group_id AND a.active)"
# inactive groups are few and have an index of their own, active ones are many
_NOT_INACTIVE = """NOT EXISTS (
    SELECT FROM access_groups a
    WHERE a.organization_id = {alias}.organization_id AND a.group_id = {alias}.group_id AND NOT a.active)"""
_AS_STAFF = """EXISTS (
    SELECT FROM access_groups a
    WHERE a.group_id = {alias}.group_id AND a.active AND NOT a.system AND a.organization_id <> ALL(%(closed)s))"""
_BELOW_SEATS = """
    SELECT c.descendant_id FROM group_users s
    JOIN group_closure c ON c.ancestor_id = s.group_id
    JOIN access_organizations o USING (organization_id)
    WHERE s.user_id = %(viewer)s AND s.kind IN {kinds} AND o.active"""
_WITH_PEOPLE = f"""
SELECT r.group_id FROM access_users u, access_groups r
WHERE u.user_id = %(user)s AND u.live AND r.group_id = ANY(%(groups)s)
  AND (u.unlimited OR EXISTS (
    SELECT FROM ({POLICIES["group", "read"].grants}) granted
    WHERE granted.user_id = u.user_id AND granted.resource_id = r.group_id))
"""
