"""Visibility: viewers, and the conditions on what they are shown. No SQL elsewhere has such conditions.

The same rules as `projections.access.policy` (semantics 6.2), turned around for lists: a check starts from a resource,
a list from the user. What a viewer cannot see neither shows nor matches (ruling O9). `visible_groups` has those of
lists of groups.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from projections.access.policy import POLICIES, ROSTERED
from projections.core.rows import fetched

NO_ORGANIZATIONS: frozenset[UUID] = frozenset()


@dataclass(frozen=True)
class Viewer:
    """A user who looks, with their rights in active organizations.

    `unlimited` viewers, system administrators and services, see everything; `staff` read all users and all active
    organizations. `works_in` are organizations whose provider the user is, `administers` those whose administrator they
    are, `whole` those all of whose groups they read. `entries` tells whether they lead or belong to any group; `closed`
    are, for staff, all inactive organizations.
    """

    user_id: UUID
    unlimited: bool = False
    staff: bool = False
    entries: bool = False
    works_in: frozenset[UUID] = NO_ORGANIZATIONS
    administers: frozenset[UUID] = NO_ORGANIZATIONS
    whole: frozenset[UUID] = NO_ORGANIZATIONS
    closed: frozenset[UUID] = NO_ORGANIZATIONS

    @property
    def reads_all(self) -> bool:
        """Whether they read all users and all active organizations."""
        return self.unlimited or self.staff

    @property
    def participant(self) -> bool:
        """Whether they see no groups at all (semantics 4)."""
        return not (self.reads_all or self.works_in or self.administers)

    @property
    def only_staff(self) -> bool:
        """Whether nothing but being staff lets them read groups: then they see no individuals (ruling A2)."""
        return self.staff and not (self.unlimited or self.whole or self.entries)

    def parameters(self) -> dict[str, Any]:
        """Return what the conditions below refer to."""
        return {
            "viewer": self.user_id,
            "unlimited": self.unlimited,
            "staff": self.staff,
            "works_in": sorted(self.works_in),
            "administers": sorted(self.administers),
            "whole": sorted(self.whole),
            "closed": sorted(self.closed),
        }

    def governs(self, organization_id: UUID) -> bool:
        """Return whether all attributes of the organization's people are shown to them."""
        return self.unlimited or organization_id in self.administers

    def sees_shares_with(self, party_id: UUID) -> bool:
        """Return whether they are shown who shares with this organization or user."""
        return self.unlimited or party_id == self.user_id or party_id in self.works_in

    def knows_members_of(self, organization_id: UUID) -> bool:
        """Return whether they are shown whose individuals the organization has part in."""
        return self.reads_all or organization_id in self.works_in

    def reads_organization(self, column: str) -> str:
        """Return the condition that they list the roles and members of the organization in the column."""
        if self.unlimited:
            return "true"
        return _IN_ACTIVE.format(column) if self.staff else f"{column} = ANY(%(works_in)s::uuid[])"

    def reads_membership(self, alias: str) -> str:
        """Return the condition on a row with a user and an organization that they list it: their own, and others'."""
        return f"({alias}.user_id = %(viewer)s OR {self.reads_organization(f'{alias}.organization_id')})"

    def reads_people(self, alias: str, *, few: bool) -> str:
        """Return the condition on rows with a group and its organization that they read it and its people.

        `few` tells whether it is asked of few rows.
        """
        if self.unlimited:
            return "true"
        paths = []
        if self.whole:
            active = _ACTIVE if few else _NOT_INACTIVE
            paths.append(f"{alias}.organization_id = ANY(%(whole)s) AND {active.format(alias=alias)}")
        if self.entries:
            paths.append(entry_above(alias) if few else below_entries(alias))
        return f"({' OR '.join(paths)})" if paths else "false"

    def sees_leaders(self, alias: str) -> str:
        """Return the condition that they are shown who leads the group of a row."""
        return "true" if self.unlimited else READS_GROUP.format(group=alias)

    def reads_as_staff(self, alias: str) -> str:
        """Return the condition that they read the group, if not its people, by being staff."""
        return _AS_STAFF.format(alias=alias) if self.staff else "false"


async def viewer(cursor: AsyncCursor, user_id: UUID) -> Viewer:
    """Return the user as they are now; one who is not live sees nothing."""
    await cursor.execute(_VIEWER, {"user": user_id}, prepare=True)
    row = await cursor.fetchone()
    if row is None:
        return Viewer(user_id)
    unlimited, staff, entries, *organizations = row
    return Viewer(user_id, unlimited, staff, entries, *map(frozenset, organizations))


async def readable_users(cursor: AsyncCursor, viewer_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the users that the viewer may read (semantics 4, ruling E3); none when they are not live."""
    await cursor.execute(READABLE_USERS, {"viewer": viewer_id, "users": list(set(user_ids))}, prepare=True)
    return {row[0] for row in await fetched(cursor)}


async def permitted(
    cursor: AsyncCursor, viewer_id: UUID, resource_type: str, operation: str, ids: Iterable[UUID]
) -> set[UUID]:
    """Return those of the resources on which the viewer has the operation: what a check says of each, in one snapshot.

    None of them when the viewer is not live.
    """
    statement = _PERMITTED[resource_type, operation]
    await cursor.execute(statement, {"viewer": viewer_id, "ids": list(ids)}, prepare=True)
    return {row[0] for row in await fetched(cursor)}


async def groups_with_people(cursor: AsyncCursor, viewer_id: UUID, group_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the groups that the viewer reads, and not only as staff: they see its individuals (ruling A2)."""
    await cursor.execute(_WITH_PEOPLE, {"viewer": viewer_id, "ids": list(group_ids)}, prepare=True)
    return {row[0] for row in await cursor.fetchall()}


def below_entries(alias: str, kinds: str = ROSTERED) -> str:
    """Return the condition that the viewer has an entry in the active group or above it, for many groups.

    All groups below the viewer's entries are looked up once.
    """
    return f"{alias}.group_id IN ({_BELOW_ENTRIES.format(kinds=kinds)})"


def entry_above(alias: str, kinds: str = ROSTERED) -> str:
    """Return the same condition for few groups, looked up for each.

    OFFSET keeps Postgres from joining all that the viewer sees.
    """
    return f"EXISTS ({_BELOW_ENTRIES.format(kinds=kinds)} AND c.descendant_id = {alias}.group_id OFFSET 0)"


_VIEWER = """
WITH memberships AS (
    SELECT p.organization_id, p.admin, p.provider, p.admin OR o.open AND p.provider AS whole
    FROM organization_users p JOIN access_organizations o USING (organization_id)
    WHERE p.user_id = %(user)s AND o.active AND (p.admin OR p.provider)
)
SELECT u.unlimited, u.staff, EXISTS (SELECT FROM group_users s WHERE s.user_id = u.user_id),
       ARRAY(SELECT organization_id FROM memberships WHERE provider),
       ARRAY(SELECT organization_id FROM memberships WHERE admin),
       ARRAY(SELECT organization_id FROM memberships WHERE whole),
       CASE WHEN u.staff THEN ARRAY(SELECT organization_id FROM access_organizations WHERE NOT active) ELSE '{}' END
FROM access_users u WHERE u.user_id = %(user)s AND u.live
"""
_IN_ACTIVE = "{} IN (SELECT organization_id FROM access_organizations WHERE active)"
_ACTIVE = "EXISTS (SELECT FROM access_groups a WHERE a.group_id = {alias}.group_id AND a.active)"
# inactive groups are few and have an index of their own, active ones are many
_NOT_INACTIVE = """NOT EXISTS (
    SELECT FROM access_groups a
    WHERE a.organization_id = {alias}.organization_id AND a.group_id = {alias}.group_id AND NOT a.active)"""
_AS_STAFF = """EXISTS (
    SELECT FROM access_groups a
    WHERE a.group_id = {alias}.group_id AND a.active AND NOT a.system AND a.organization_id <> ALL(%(closed)s))"""
_BELOW_ENTRIES = """
    SELECT c.descendant_id FROM group_users s
    JOIN group_closure c ON c.ancestor_id = s.group_id
    JOIN access_organizations o USING (organization_id)
    WHERE s.user_id = %(viewer)s AND s.kind IN {kinds} AND o.active"""
# the array is in a SELECT so that its length does not enter the plan: see `projections.access.checks`
_OF_RESOURCES = """
SELECT r.{key} FROM access_users u, {source}
WHERE u.user_id = %(viewer)s AND u.live AND r.{key} = ANY((SELECT %(ids)s::uuid[])::uuid[])
  AND ({everyone} OR EXISTS (
    SELECT FROM ({grants}) granted WHERE granted.user_id = u.user_id AND granted.resource_id = r.{key}))
"""
_PERMITTED = {kind: _OF_RESOURCES.format(**vars(policy)) for kind, policy in POLICIES.items()}
_WITH_PEOPLE = _OF_RESOURCES.format(**{**vars(POLICIES["group", "read"]), "everyone": "u.unlimited"})

# Staff, system administrators and services read all users; a provider those inside one of their organizations, that is
# its providers and the owners of individuals shared with it, until they are archived (ruling K143). Asked from the
# users in question: from the organization it would be all users in it, 12 ms among 20,000 providers and 240 ms with
# their 75,000 patients.
READABLE_USERS = """
WITH caller AS (
    SELECT user_id, staff OR unlimited AS everybody FROM access_users WHERE user_id = %(viewer)s AND live
), home AS (
    SELECT array_agg(o.organization_id) AS organizations FROM organization_users o JOIN caller USING (user_id)
    JOIN access_organizations a USING (organization_id)
    WHERE o.provider AND a.active
)
SELECT u.user_id
FROM access_users u
WHERE u.user_id = ANY(%(users)s) AND EXISTS (SELECT FROM caller) AND (
    u.user_id = %(viewer)s
    OR u.service_name IS NULL AND (
        (SELECT everybody FROM caller)
        OR NOT u.archived AND (u.user_id IN (
            SELECT o.user_id FROM organization_users o
            WHERE o.user_id = ANY(%(users)s) AND o.provider AND o.organization_id = ANY((SELECT * FROM home)::uuid[])
        )
        OR u.user_id IN (
            SELECT i.owner_id FROM access_individuals i JOIN individual_organizations s USING (individual_id)
            WHERE i.owner_id = ANY(%(users)s) AND s.shared AND s.organization_id = ANY((SELECT * FROM home)::uuid[])
        ))
    )
)
"""

SHOWN_ORGANIZATIONS = """
SELECT organization_id, bool_or(whole) AS whole FROM (
    SELECT organization_id, true AS whole FROM organization_users WHERE user_id = %(viewer)s AND provider
    UNION ALL
    SELECT s.organization_id, false
    FROM access_individuals i JOIN individual_organizations s USING (individual_id)
    JOIN access_organizations a USING (organization_id)
    WHERE i.owner_id = %(viewer)s AND s.shared AND a.active
) AS seen GROUP BY organization_id
"""
"""Organizations of a provider, as a whole; of a participant the active ones that their individuals are shared with."""

OWNS = "({owner} = %(viewer)s OR {owner} = ANY(%(administers)s::uuid[]))"
"""The viewer decides with whom the individual is shared, as its owner or as an administrator of it."""
SEES_SHARE_WITH_ORGANIZATION = f"(%(unlimited)s OR {{organization}} = ANY(%(works_in)s::uuid[]) OR {OWNS})"
SEES_SHARE_WITH_USER = f"(%(unlimited)s OR {{user}} = %(viewer)s OR {OWNS})"
"""Conditions on a share of an individual whose owner is `{owner}`."""

OWN_OR_IN_ORGANIZATION = f"""({OWNS.format(owner="r.owner_id")} OR EXISTS (
    SELECT FROM individual_organizations k
    WHERE k.individual_id = r.individual_id AND k.organization_id = ANY(%({{organizations}})s::uuid[])
    {{{{fence}}}}))"""
OWN_OR_IN_ROSTER = f"""({OWNS.format(owner="r.owner_id")} OR EXISTS (
    SELECT FROM individual_organizations k
    WHERE k.individual_id = r.individual_id AND k.organization_id = ANY(%(whole)s::uuid[]) {{fence}}) OR EXISTS (
    SELECT FROM ({POLICIES["individual", "read"].below}) b JOIN group_individuals p USING (group_id)
    WHERE b.user_id = %(viewer)s AND p.individual_id = r.individual_id {{fence}}))"""
"""Conditions on an individual `r`: what is shown of its owner to colleagues, and in rosters to those who read these."""

READS_GROUP = f"""({{group}}.organization_id = ANY(%(whole)s::uuid[]) OR {{group}}.group_id IN (
    SELECT b.group_id FROM ({POLICIES["individual", "read"].below}) b WHERE b.user_id = %(viewer)s))"""
"""The viewer reads the people of the group: of a whole organization, or by an entry in it or above it."""

WRITES_INDIVIDUAL = f"""{{individual}} IN (
    SELECT granted.resource_id FROM ({POLICIES["individual", "write"].grants}) granted
    WHERE granted.user_id = %(viewer)s)"""
"""The viewer may change the individual, by a grant."""

READS_THEMES = "%(staff)s"
"""A condition on a theme."""

READS_RECORDS = f"""(%(unlimited)s OR r.organization_id = ANY(%(administers)s::uuid[])
    OR %(staff)s AND (r.organization_id IS NULL OR {_IN_ACTIVE.format("r.organization_id")}))"""
"""A condition on a record of an organization or a theme: administrators, staff and services read it (L30)."""

IN_READ_ORGANIZATION = f"""(%(unlimited)s OR r.organization_id = ANY(%(works_in)s::uuid[])
    OR %(staff)s AND {_IN_ACTIVE.format("r.organization_id")})"""
"""A condition on a record of an organization that all read who read the organization (ruling K54)."""

IN_NO_INACTIVE_ORGANIZATION = f"(r.organization_id IS NULL OR {_IN_ACTIVE.format('r.organization_id')})"
"""A condition on a record that everybody reads, of an organization or of none (rulings K110, L17)."""
