"""The people of groups: who, from the tables that decide access; what is known of them, from the users' read model."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from projections.core.rows import fetched
from projections.groups.list_queries import SHOW
from projections.groups.lists import UNASSIGNED, GroupRow


class ProviderRow(NamedTuple):
    """A leader or member of a group."""

    group_id: UUID
    id: UUID
    individual_id: UUID | None
    username: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    email_verified: bool
    phone_verified: bool
    verified: bool
    enabled: bool
    registration_invite: str
    communication_preferences: dict[str, Any] | None
    created_by_id: UUID | None


class IndividualRow(NamedTuple):
    """An individual in a group; everything about the person is its owning user's and missing without one."""

    group_id: UUID
    id: UUID
    owner_id: UUID
    owner_type: str
    first_name: str | None
    last_name: str | None
    birth_date: date | None
    tz: str | None
    registered: bool
    email_verified: bool
    phone_verified: bool
    verified: bool
    registration_invite: str
    communication_preferences: dict[str, Any] | None


class LedGroup(NamedTuple):
    """A group and its leaders. `position` is that of the read model which is furthest behind, None for no models."""

    position: int | None
    row: GroupRow | None
    leaders: list[ProviderRow]


class RosterSource(NamedTuple):
    """Where the individuals of a group are found: stored, or computed from the organization's."""

    group_id: UUID
    organization_id: UUID
    type: str

    def individuals(self) -> str:
        """Return the query of their ids; it refers to `group` and `organization`."""
        return _INDIVIDUALS.get(self.type, _STORED)

    def number(self) -> str:
        """Return the query of how many they are; it refers to the same."""
        return _KEPT_NUMBERS.get(self.type, _counted(self.individuals()))


async def roster(cursor: AsyncCursor, group_id: UUID) -> RosterSource | None:
    """Return how the individuals of a group are found, None when there is no such group."""
    rows = cursor.connection.cursor(row_factory=class_row(RosterSource))
    await rows.execute("SELECT group_id, organization_id, type FROM access_groups WHERE group_id = %s", (group_id,))
    return await rows.fetchone()


async def providers(cursor: AsyncCursor, group_ids: Sequence[UUID], kind: str) -> dict[UUID, list[ProviderRow]]:
    """Return all leaders or members of the groups, by group, each by id."""
    rows = cursor.connection.cursor(row_factory=class_row(ProviderRow))
    await rows.execute(_PROVIDERS.format(entries=_ENTRIES), {"groups": list(group_ids), "kind": kind})
    return _by_group(group_ids, await fetched(rows))


async def led_group(cursor: AsyncCursor, group_id: UUID, models: Sequence[str]) -> LedGroup:
    """Return one group with its leaders, whoever asks, from one statement: commands on groups are answered with it.

    `models` are the read models whose position is wanted.
    """
    await cursor.execute(_LED_GROUP, {"group": group_id, "models": list(models)}, prepare=True)
    rows = await cursor.fetchall()
    end = 1 + len(GroupRow._fields)
    position, *group = rows[0][:end]
    names = [column.name for column in cursor.description or ()][end:]
    leaders = [ProviderRow(**dict(zip(names, row[end:], strict=True))) for row in rows if row[end] is not None]
    return LedGroup(position, None if group[0] is None else GroupRow._make(group), leaders)


async def leaders(cursor: AsyncCursor, group_id: UUID, *, limit: int, offset: int) -> tuple[list[ProviderRow], int]:
    """Return a page of the group's leaders by id, and how many it has."""
    parameters = {"groups": [group_id], "kind": "leader", "limit": limit, "offset": offset}
    rows = cursor.connection.cursor(row_factory=class_row(ProviderRow))
    await rows.execute(_PROVIDERS.format(entries=f"{_ENTRIES} ORDER BY user_id {_CUT}"), parameters)
    return await rows.fetchall(), await _number(cursor, _counted(_ENTRIES), parameters)


async def individuals(cursor: AsyncCursor, rosters: Iterable[RosterSource]) -> dict[UUID, list[IndividualRow]]:
    """Return all individuals of the groups, by group, each by id."""
    found: dict[UUID, list[IndividualRow]] = {}
    stored = [each.group_id for each in rosters if each.type not in _INDIVIDUALS]
    computed = [each for each in rosters if each.type in _INDIVIDUALS]
    if stored:
        entries = "SELECT group_id, individual_id FROM group_individuals WHERE group_id = ANY(%(groups)s)"
        found |= _by_group(stored, await _individuals(cursor, entries, {"groups": stored}))
    for each in computed:
        entries = f"SELECT %(group)s::uuid AS group_id, individual_id FROM ({each.individuals()}) c"
        found[each.group_id] = await _individuals(cursor, entries, _parameters(each))
    return found


async def individuals_page(
    cursor: AsyncCursor, roster: RosterSource, *, limit: int, offset: int
) -> tuple[list[IndividualRow], int]:
    """Return a page of the group's individuals by id, and how many it has."""
    parameters = {**_parameters(roster), "limit": limit, "offset": offset}
    entries = (
        f"SELECT %(group)s::uuid AS group_id, individual_id FROM ({roster.individuals()}) c"
        f" ORDER BY individual_id {_CUT}"
    )
    return await _individuals(cursor, entries, parameters), await _number(cursor, roster.number(), parameters)


async def _individuals(cursor: AsyncCursor, entries: str, parameters: dict[str, Any]) -> list[IndividualRow]:
    rows = cursor.connection.cursor(row_factory=class_row(IndividualRow))
    await rows.execute(_PEOPLE.format(entries=entries), parameters)
    return await fetched(rows)


async def _number(cursor: AsyncCursor, query: str, parameters: dict[str, Any]) -> int:
    await cursor.execute(query, parameters)
    row = await cursor.fetchone()
    return row[0] if row else 0


def _counted(query: str) -> str:
    return f"SELECT count(*) FROM ({query}) c"


def _parameters(roster: RosterSource) -> dict[str, Any]:
    return {"group": roster.group_id, "organization": roster.organization_id}


def _by_group(group_ids: Iterable[UUID], rows: Iterable[Any]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = {group_id: [] for group_id in group_ids}
    for row in rows:
        found[row.group_id].append(row)
    return found


_CUT = "LIMIT %(limit)s OFFSET %(offset)s"
# The array is in a SELECT so that its length does not enter the plan: see `projections.access.checks`.
_ENTRIES = """
    SELECT group_id, user_id FROM group_users
    WHERE group_id = ANY((SELECT %(groups)s::uuid[])::uuid[]) AND kind = %(kind)s"""
_STORED = "SELECT individual_id FROM group_individuals WHERE group_id = %(group)s"
_INDIVIDUALS = {
    "all_participants": "SELECT individual_id FROM individual_organizations WHERE organization_id = %(organization)s",
    "unassigned": UNASSIGNED.format(organization="%(organization)s"),
}
_KEPT_NUMBERS = {
    "all_participants": "SELECT individuals FROM access_organizations WHERE organization_id = %(organization)s"
}
_KNOWN = """
    coalesce(u.email_verified, false) AS email_verified, coalesce(u.phone_verified, false) AS phone_verified,
    coalesce(u.verified, false) AS verified, coalesce(u.registration_invite, 'none') AS registration_invite,
    u.communication_preferences, u.first_name, u.last_name"""
_STORED_USERS = "SELECT group_id, user_id FROM group_users WHERE group_id = %(group)s"
_PROVIDERS = f"""
SELECT s.group_id, s.user_id AS id, u.individual_id, u.username, u.email, a.enabled, u.created_by AS created_by_id,
    {_KNOWN}
FROM ({{entries}}) s JOIN access_users a USING (user_id) LEFT JOIN users u USING (user_id)
ORDER BY s.group_id, s.user_id
"""
_LED_GROUP = f"""
SELECT model.position, g.*, l.*
FROM (SELECT min(position) AS position FROM projections WHERE name = ANY(%(models)s)) model
LEFT JOIN ({SHOW.format(picked="SELECT %(group)s::uuid AS group_id", order="name_key")}) g ON true
LEFT JOIN ({_PROVIDERS.format(entries=f"{_STORED_USERS} AND kind = 'leader'")}) l ON l.group_id = g.group_id
ORDER BY l.id
"""
_PEOPLE = f"""
SELECT s.group_id, s.individual_id AS id, i.owner_id,
    CASE WHEN o.organization_id IS NULL THEN 'user' ELSE 'organization' END AS owner_type,
    u.birth_date, u.tz, coalesce(u.registered, false) AS registered, {_KNOWN}
FROM ({{entries}}) s JOIN access_individuals i USING (individual_id)
LEFT JOIN access_organizations o ON o.organization_id = i.owner_id
LEFT JOIN users u ON u.user_id = i.owner_id
ORDER BY s.group_id, s.individual_id
"""
