"""Who may see which part of a row: what a caller cannot see neither shows nor matches (ruling O9)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from projections.access.policy import POLICIES


@dataclass(frozen=True)
class Seer:
    """What a caller sees beside their own: everything, or what concerns their active organizations.

    `all_users` is true for those who read all users: staff. `works_in` are organizations whose provider the caller is,
    `administers` some of these.
    """

    user_id: UUID
    everything: bool = False
    all_users: bool = False
    works_in: frozenset[UUID] = frozenset()
    administers: frozenset[UUID] = frozenset()

    def parameters(self) -> dict[str, Any]:
        """What the conditions below refer to."""
        return {
            "seer": self.user_id,
            "sees_everything": self.everything,
            "staff": self.all_users,
            "works_in": list(self.works_in),
            "administers": list(self.administers),
        }

    def sees_shares_with(self, party_id: UUID) -> bool:
        """Whether the caller is shown who shares with this organization or user."""
        return self.everything or party_id == self.user_id or party_id in self.works_in

    def knows_members_of(self, organization_id: UUID) -> bool:
        """Whether the caller is shown whose individuals the organization has part in."""
        return self.everything or self.all_users or organization_id in self.works_in


async def seer(cursor: AsyncCursor, user_id: UUID, *, everything: bool = False) -> Seer:
    """What the user sees as they stand now. `everything` is for system administrators and services."""
    await cursor.execute(_STANDING, [user_id], prepare=True)
    rows = await cursor.fetchall()
    works_in = frozenset(organization_id for organization_id, _, _ in rows if organization_id is not None)
    administers = frozenset(organization_id for organization_id, admin, _ in rows if admin)
    return Seer(user_id, everything, any(staff for _, _, staff in rows), works_in, administers)


_STANDING = """
SELECT o.organization_id, p.admin AND o.organization_id IS NOT NULL, u.staff
FROM access_users u
LEFT JOIN organization_users p ON p.user_id = u.user_id AND p.provider
LEFT JOIN access_organizations o ON o.organization_id = p.organization_id AND o.active
WHERE u.user_id = %s AND u.live
"""

OWNS = "({owner} = %(seer)s OR {owner} = ANY(%(administers)s::uuid[]))"
"""The caller decides with whom the individual is shared, as its owner or as an administrator of it."""
SEES_SHARE_WITH_ORGANIZATION = f"(%(sees_everything)s OR {{organization}} = ANY(%(works_in)s::uuid[]) OR {OWNS})"
SEES_SHARE_WITH_USER = f"(%(sees_everything)s OR {{user}} = %(seer)s OR {OWNS})"
"""Conditions on a share of an individual whose owner is `{owner}`."""

OWN_OR_IN_ORGANIZATION = f"""({OWNS.format(owner="r.owner_id")} OR EXISTS (
    SELECT FROM individual_organizations k
    WHERE k.individual_id = r.individual_id AND k.organization_id = ANY(%({{organizations}})s::uuid[])
    {{{{fence}}}}))"""
OWN_OR_IN_ROSTER = f"""({OWNS.format(owner="r.owner_id")} OR EXISTS (
    SELECT FROM individual_organizations k
    WHERE k.individual_id = r.individual_id AND k.organization_id = ANY(%(whole)s::uuid[]) {{fence}}) OR EXISTS (
    SELECT FROM ({POLICIES["individual", "read"].below}) b JOIN group_individuals p USING (group_id)
    WHERE b.user_id = %(seer)s AND p.individual_id = r.individual_id {{fence}}))"""
"""Conditions on an individual `r`: what is shown of its owner to colleagues, and in rosters to those who read these."""

READS_GROUP = f"""({{group}}.organization_id = ANY(%(whole)s::uuid[]) OR {{group}}.group_id IN (
    SELECT b.group_id FROM ({POLICIES["individual", "read"].below}) b WHERE b.user_id = %(seer)s))"""
"""The caller reads the people of the group: of a whole organization, or by an entry in it or above it."""

READS_RECORDS_OF_ORGANIZATION = """(%(sees_everything)s OR r.organization_id = ANY(%(administers)s::uuid[])
    OR %(staff)s AND (r.organization_id IS NULL OR r.organization_id IN (
        SELECT organization_id FROM access_organizations WHERE active)))"""
"""A condition on a record of an organization or a theme: administrators, staff and services read it (L30)."""
