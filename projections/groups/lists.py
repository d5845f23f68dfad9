"""Lists of groups: what is asked for, what the viewer may see of it, and a page whose cost follows the page.

Two ways to a page. What names few groups (their ids, a leader, an individual, a parent) is looked up first and then
sorted. Otherwise the groups of each organization are walked in the order of the list, as far as the page goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.groups.groups import Group, GroupNotFound
from projections.access.policy import LEADERS, ROSTERED
from projections.core.patterns import containing
from projections.core.visibility import Viewer, below_entries, entry_above
from projections.groups.candidacies import CANDIDATE, CANDIDATE_WHERE, Candidacy, candidacy_of
from projections.groups.groups import name_key


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
    def of(cls, group: Group, place: "Place", parent: Group | None) -> "GroupRow":
        """What the projection will make of it."""
        return cls(
            group.id,
            group.organization_id,
            group.name,
            group.node_type,
            group.type,
            group.tags,
            group.active,
            place.parent_id,
            None if parent is None else parent.name,
            place.individuals_count,
            place.child_count,
            max(group.modified_on, place.modified_at),
        )


class Place(NamedTuple):
    """A group among others, and its size."""

    parent_id: UUID | None
    individuals_count: int
    child_count: int
    modified_at: datetime


@dataclass(frozen=True, kw_only=True)
class GroupFilter:
    """What a list is to show; all must hold, of several values any (rulings D2 and F1)."""

    types: Sequence[str] = ("regular", "provider_only", "all_participants", "unassigned")
    organization_id: UUID | None = None
    ids: Sequence[UUID] = ()
    exclude_ids: Sequence[UUID] = ()
    name: str | None = None
    text: str | None = None
    node_type: str | None = None
    tree_node_type: str | None = None
    tags: Sequence[str] = ()
    parent_group_id: UUID | None = None
    leader_id: UUID | None = None
    individual_id: UUID | None = None
    exclude_individual_id: UUID | None = None
    eligible_individual_id: UUID | None = None
    modified: Sequence[tuple[str, datetime]] = ()
    include_inactive: bool = False
    with_people: bool = False

    @property
    def tells_of_people(self) -> bool:
        """Whether the answer tells something of individuals (ruling A2)."""
        about = (self.individual_id, self.exclude_individual_id, self.eligible_individual_id)
        return self.with_people or any(each is not None for each in about)


async def page(
    cursor: AsyncCursor, viewer: Viewer, wanted: GroupFilter, *, limit: int, offset: int
) -> tuple[list[GroupRow], int]:
    """The groups of a page by name (by modification when that is compared), and how many there are in all."""
    candidacy = None
    if wanted.eligible_individual_id is not None:
        candidacy = await candidacy_of(cursor, viewer, wanted.eligible_individual_id)
        if candidacy is None:
            return [], 0
    query = _Query(viewer, wanted, candidacy)
    parameters = {**query.parameters, "limit": limit, "offset": offset, "top": limit + offset}
    await cursor.execute(query.counted(), parameters)
    counted = await cursor.fetchone()
    return await _rows(cursor, query.page(), parameters), counted[0] if counted else 0


async def detail(
    cursor: AsyncCursor, viewer: Viewer, group_id: UUID, *, include_inactive: bool = False
) -> GroupRow | None:
    """One group, None when the viewer may not read it."""
    query = _Query(viewer, GroupFilter(ids=[group_id], include_inactive=include_inactive))
    parameters = {**query.parameters, "limit": 1, "offset": 0, "top": 1}
    return next(iter(await _rows(cursor, query.page(), parameters)), None)


async def known(cursor: AsyncCursor, group_id: UUID) -> GroupRow | None:
    """One group, whoever asks: for the answer to a command that was just allowed."""
    one = _SHOW.format(picked="SELECT %(group)s::uuid AS group_id", order="name_key")
    return next(iter(await _rows(cursor, one, {"group": group_id})), None)


async def place(cursor: AsyncCursor, group_id: UUID) -> Place:
    """Where a group that takes individuals stands, from the tables that decide access. Raises GroupNotFound."""
    rows = cursor.connection.cursor(row_factory=class_row(Place))
    await rows.execute(_PLACE, {"group": group_id})
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


class _Part(NamedTuple):
    """A part of what a viewer sees: of each whole organization, or outside these by their entries, or all of it.

    `entries` are the kinds that count.
    """

    shown: str
    per_whole: bool = False
    entries: str | None = None

    def condition(self, *, few: bool = False) -> str:
        """The condition on a group `g`; `few` when it is asked of few groups only."""
        if self.per_whole:
            return f"g.organization_id = {'ANY(%(whole)s)' if few else 'o.id'} AND {self.shown}"
        if self.entries is not None:
            sits = entry_above("g", self.entries) if few else below_entries("g", self.entries)
            return f"g.organization_id <> ALL(%(whole)s) AND {self.shown} AND {sits}"
        return self.shown


class _Query:
    """The statements of one list."""

    def __init__(self, viewer: Viewer, wanted: GroupFilter, candidacy: Candidacy | None = None) -> None:
        self._viewer = viewer
        self._wanted = wanted
        self._candidacy = candidacy
        self.parameters: dict[str, Any] = {**viewer.parameters(), **_lists(vars(wanted))}
        if candidacy is not None:
            self.parameters |= candidacy.parameters()
        self._order = "modified_at" if wanted.modified else "name_key"
        self._conditions = self._filters()
        self._few = self._lookups()

    def page(self) -> str:
        """The rows of the page."""
        key = f"g.{self._order}, g.group_id"
        parts = self._parts(f"SELECT g.group_id, g.{self._order} FROM groups g", f" ORDER BY {key} LIMIT %(top)s")
        picked = " UNION ALL ".join(f"({each})" for each in parts)
        cut = f"SELECT group_id FROM ({picked}) p ORDER BY {self._order}, group_id LIMIT %(limit)s OFFSET %(offset)s"
        return _SHOW.format(picked=cut, order=self._order)

    def counted(self) -> str:
        """How many rows there are."""
        counts = (f"({each})" for each in self._parts("SELECT count(*) AS number FROM groups g", ""))
        return f"SELECT coalesce(sum(number), 0)::bigint FROM ({' UNION ALL '.join(counts)}) c"

    def _parts(self, select: str, cut: str) -> list[str]:
        """Disjoint selections from what the viewer sees, each cut where the page ends if there is a cut."""
        if self._few:
            visible = " OR ".join(part.condition(few=True) for part in self._visible())
            few = f"WITH few AS MATERIALIZED ({self._few}) {select} JOIN few USING (group_id)"
            return [f"{few} WHERE {' AND '.join([f'({visible})', *self._conditions])}{cut}"]
        parts = []
        for part in self._visible():
            where = " AND ".join([f"({part.condition()})", *self._conditions])
            inner = f"{_TOTAL if self._countable(part) and not cut else select} WHERE {where}{cut}"
            parts.append(_PER_WHOLE.format(inner=inner) if part.per_whole else inner)
        return parts

    def _countable(self, part: "_Part") -> bool:
        """Whether the totals, which know organization, types and whether it is active, can tell the number."""
        plain = vars(GroupFilter(types=self._wanted.types, organization_id=self._wanted.organization_id,
                                 node_type=self._wanted.node_type, include_inactive=self._wanted.include_inactive,
                                 with_people=self._wanted.with_people))  # fmt: skip
        return part.entries is None and vars(self._wanted) == plain

    def _visible(self) -> list["_Part"]:
        """Disjoint parts; together, what the viewer sees."""
        viewer, active = self._viewer, _ACTIVE_NOW if self._few else "g.active"
        if self._candidacy is not None:
            return [
                *(_Part(f"{active} AND {where}", per_whole=True) for where in CANDIDATE_WHERE),
                *([_Part(f"{active} AND ({' OR '.join(CANDIDATE_WHERE)})", entries=LEADERS)] if viewer.entries else []),
            ]
        shown = "true" if self._wanted.include_inactive else active
        if viewer.unlimited:
            return [_Part(shown)]
        hidden = active
        if self._wanted.include_inactive:
            hidden = f"({active} OR g.organization_id = ANY(%(administers)s))"
        of_whole, by_seat = _Part(hidden, per_whole=True), _Part(active, entries=ROSTERED)
        if viewer.staff and not self._wanted.tells_of_people:
            ordinary = f"g.type <> ALL({_SYSTEM}) AND g.organization_id <> ALL(%(closed)s) AND {shown}"
            return [
                _Part(ordinary),
                *([_Part(f"g.type = ANY({_SYSTEM}) AND {hidden}", per_whole=True)] if viewer.whole else []),
            ]
        parts = [*([of_whole] if viewer.whole else []), *([by_seat] if viewer.entries else [])]
        return parts or [_Part("false")]

    def _filters(self) -> list[str]:
        wanted = self._wanted
        conditions = ["g.type = ANY(%(types)s)"]
        conditions += [condition for name, condition in _FILTERS.items() if getattr(wanted, name) not in (None, ())]
        if wanted.text is not None:
            self.parameters["text"] = containing(name_key(wanted.text))
        if wanted.name is not None:
            self.parameters["name"] = name_key(wanted.name)
        if wanted.tree_node_type is not None:
            conditions.append("g.child_count = 0" if wanted.tree_node_type == "leaf" else "g.child_count > 0")
        if self._candidacy is not None:
            conditions.append(CANDIDATE)
        for number, (comparator, moment) in enumerate(wanted.modified):
            self.parameters[f"moment{number}"] = moment
            conditions.append(f"g.modified_at {comparator} %(moment{number})s")
        return conditions

    def _lookups(self) -> str:
        return " INTERSECT ".join(
            lookup for name, lookup in _LOOKUPS.items() if getattr(self._wanted, name) not in (None, ())
        )


def _lists(values: dict[str, Any]) -> dict[str, Any]:
    """Arrays are lists for psycopg; it takes tuples for records."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


# where it costs little: a group that has just been deactivated is nobody's to read, whatever its row still says
_ACTIVE_NOW = "EXISTS (SELECT FROM access_groups a WHERE a.group_id = g.group_id AND a.active)"
_SYSTEM = "ARRAY['all_participants', 'unassigned']"
_TOTAL = "SELECT sum(g.total) AS number FROM group_totals g"
_PER_WHOLE = "SELECT x.* FROM unnest(%(whole)s::uuid[]) o(id) CROSS JOIN LATERAL ({inner}) x"

# (group) that an individual stands in: placed, or computed
_PLACES = """
    SELECT group_id FROM group_individuals WHERE individual_id = {individual}
    UNION ALL
    SELECT s.group_id FROM individual_organizations b JOIN groups s USING (organization_id)
    WHERE b.individual_id = {individual} AND s.type IN ('all_participants', 'unassigned')
      AND (s.type = 'all_participants' OR NOT EXISTS (
        SELECT FROM group_individuals p JOIN access_groups r USING (group_id)
        WHERE p.individual_id = b.individual_id AND r.organization_id = s.organization_id
          AND r.active AND r.type = 'regular'))"""

_LOOKUPS = {
    "ids": "SELECT unnest(%(ids)s::uuid[]) AS group_id",
    "parent_group_id": "SELECT group_id FROM groups WHERE parent_id = %(parent_group_id)s AND active",
    "leader_id": "SELECT group_id FROM group_users WHERE user_id = %(leader_id)s AND kind = 'leader'",
    "individual_id": f"SELECT group_id FROM ({_PLACES.format(individual='%(individual_id)s')}) places",
}
_FILTERS = {
    "organization_id": "g.organization_id = %(organization_id)s",
    "exclude_ids": "g.group_id <> ALL(%(exclude_ids)s)",
    "name": "g.name_key = %(name)s",
    "text": "g.name_key LIKE %(text)s",
    "node_type": "g.node_type = %(node_type)s",
    "tags": "g.tags && %(tags)s::text[]",
    "exclude_individual_id": f"g.group_id <> ALL(ARRAY({_PLACES.format(individual='%(exclude_individual_id)s')}))",
}
UNASSIGNED = """
    SELECT u.individual_id, u.organization_id FROM unplaced_individuals u WHERE u.organization_id = {organization}
    UNION ALL
    SELECT DISTINCT p.individual_id, p.organization_id
    FROM access_groups closed JOIN group_individuals p USING (group_id)
    WHERE closed.organization_id = {organization} AND NOT closed.active AND NOT EXISTS (
        SELECT FROM group_individuals q JOIN access_groups r ON r.group_id = q.group_id
        WHERE q.individual_id = p.individual_id AND q.organization_id = p.organization_id AND r.active)"""
"""Individuals of an organization that stand in none of its active groups: in none at all, or in inactive ones.

Only regular groups take individuals, so nobody asks for the type.
"""

_SHOW = """
WITH picked AS ({picked})
SELECT g.group_id, g.organization_id, g.name, g.node_type, g.type, g.tags, g.active, g.parent_id, p.name AS parent_name,
       CASE g.type
           WHEN 'all_participants' THEN coalesce((
               SELECT o.individuals FROM access_organizations o WHERE o.organization_id = g.organization_id), 0)
           ELSE g.individuals_count END AS individuals_count,
       g.child_count, g.modified_at
FROM picked JOIN groups g USING (group_id) LEFT JOIN groups p ON p.group_id = g.parent_id
ORDER BY g.{order}, g.group_id
"""
_PLACE = """
SELECT a.parent_id, (SELECT count(*) FROM group_individuals i WHERE i.group_id = a.group_id) AS individuals_count,
       (SELECT count(*) FROM access_groups c
        WHERE c.organization_id = a.organization_id AND c.parent_id = a.group_id AND c.active) AS child_count,
       greatest(a.touched_at, a.moved_at) AS modified_at
FROM access_groups a WHERE a.group_id = %(group)s
"""
_COUNT_UNASSIGNED = f"""
SELECT organization_id, count(*) FROM ({UNASSIGNED.format(organization="ANY(%(organizations)s)")}) loose GROUP BY 1
"""
