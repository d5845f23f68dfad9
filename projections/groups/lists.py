"""Groups as lists and details show them to a viewer, and as the tables that decide access have them."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.groups.groups import Group, GroupNotFound
from projections.core.visibility import Viewer
from projections.groups.candidacies import candidacy_of
from projections.groups.list_queries import SHOW, GroupFilter, GroupQuery


class GroupRow(NamedTuple):
    """A group without its people."""

    group_id: UUID
    organization_id: UUID
    name: str
    node_type: str
    type: str
    tags: list[str]
    active: bool
    parent_id: UUID | None
    parent_name: str | None
    individuals_count: int
    child_count: int
    modified_at: datetime

    @classmethod
    def of(cls, group: Group, facts: "GroupFacts", parent: Group | None) -> "GroupRow":
        """Return the row that the projection will make of it."""
        return cls(
            group.id,
            group.organization_id,
            group.name,
            group.node_type,
            group.type,
            group.tags,
            group.active,
            facts.parent_id,
            None if parent is None else parent.name,
            facts.individuals_count,
            facts.child_count,
            max(group.modified_on, facts.modified_at),
        )


class GroupFacts(NamedTuple):
    """What the tables that decide access know of a group."""

    parent_id: UUID | None
    individuals_count: int
    child_count: int
    modified_at: datetime


async def page(
    cursor: AsyncCursor, viewer: Viewer, filters: GroupFilter, *, limit: int, offset: int
) -> tuple[list[GroupRow], int]:
    """Return the groups of a page by name (by modification when that is compared), and how many there are in all."""
    candidacy = None
    if filters.eligible_individual_id is not None:
        candidacy = await candidacy_of(cursor, viewer, filters.eligible_individual_id)
        if candidacy is None:
            return [], 0
    query = GroupQuery(viewer, filters, candidacy)
    parameters = {**query.parameters, "limit": limit, "offset": offset, "top": limit + offset}
    await cursor.execute(query.counted(), parameters)
    counted = await cursor.fetchone()
    return await _rows(cursor, query.page(), parameters), counted[0] if counted else 0


async def detail(
    cursor: AsyncCursor, viewer: Viewer, group_id: UUID, *, include_inactive: bool = False
) -> GroupRow | None:
    """Return one group, None when the viewer may not read it."""
    query = GroupQuery(viewer, GroupFilter(ids=[group_id], include_inactive=include_inactive))
    parameters = {**query.parameters, "limit": 1, "offset": 0, "top": 1}
    return next(iter(await _rows(cursor, query.page(), parameters)), None)


async def known(cursor: AsyncCursor, group_id: UUID) -> GroupRow | None:
    """Return one group, whoever asks: for the answer to a command that was just allowed."""
    one = SHOW.format(picked="SELECT %(group)s::uuid AS group_id", order="name_key")
    return next(iter(await _rows(cursor, one, {"group": group_id})), None)


async def facts(cursor: AsyncCursor, group_id: UUID) -> GroupFacts:
    """Return what is known of a group that takes individuals, never behind the log. Raises GroupNotFound."""
    rows = cursor.connection.cursor(row_factory=class_row(GroupFacts))
    await rows.execute(_FACTS, {"group": group_id})
    found = await rows.fetchone()
    if found is None:
        raise GroupNotFound
    return found


async def _rows(cursor: AsyncCursor, statement: str, parameters: dict[str, Any]) -> list[GroupRow]:
    rows = cursor.connection.cursor(row_factory=class_row(GroupRow))
    await rows.execute(statement, parameters)
    found = await rows.fetchall()
    organizations = [row.organization_id for row in found if row.type == "unassigned"]
    if not organizations:
        return found
    # together and only now: it looks at all of these
    await cursor.execute(_COUNT_UNASSIGNED, {"organizations": organizations})
    numbers: dict[UUID, int] = dict(await cursor.fetchall())
    return [
        row._replace(individuals_count=numbers.get(row.organization_id, 0)) if row.type == "unassigned" else row
        for row in found
    ]


UNASSIGNED = """
    SELECT u.individual_id, u.organization_id FROM unplaced_individuals u WHERE u.organization_id = {organization}
    UNION ALL
    SELECT DISTINCT p.individual_id, p.organization_id
    FROM access_groups closed JOIN group_individuals p USING (group_id)
    WHERE closed.organization_id = {organization} AND NOT closed.active AND NOT EXISTS (
        SELECT FROM group_individuals q JOIN access_groups r ON r.group_id = q.group_id
        WHERE q.individual_id = p.individual_id AND q.organization_id = p.organization_id AND r.active)"""
"""Individuals of an organization that are in none of its active groups: in none at all, or in inactive ones only.

Only regular groups take individuals, so no query asks for the type.
"""

_FACTS = """
SELECT a.parent_id, (SELECT count(*) FROM group_individuals i WHERE i.group_id = a.group_id) AS individuals_count,
       (SELECT count(*) FROM access_groups c
        WHERE c.organization_id = a.organization_id AND c.parent_id = a.group_id AND c.active) AS child_count,
       greatest(a.touched_at, a.moved_at) AS modified_at
FROM access_groups a WHERE a.group_id = %(group)s
"""
_COUNT_UNASSIGNED = f"""
SELECT organization_id, count(*) FROM ({UNASSIGNED.format(organization="ANY(%(organizations)s)")}) loose GROUP BY 1
"""
