"""The statements of lists of groups: what is asked for, and two ways to a page whose cost follows the page.

What names few groups (their ids, a leader, an individual, a parent) is looked up first and then sorted. Otherwise the
groups of each organization are walked in the order of the list, as far as the page goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from projections.core.patterns import containing
from projections.core.visibility import Viewer
from projections.core.visible_groups import VisibleGroups, visible_groups
from projections.groups.candidacies import CANDIDATE, Candidacy
from projections.groups.groups import name_key


@dataclass(frozen=True, kw_only=True)
class GroupFilter:
    """Filters of a list, all of which must hold; of several values of a filter any (rulings D2 and F1)."""

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


class GroupQuery:
    """The statements of one list."""

    def __init__(self, viewer: Viewer, filters: GroupFilter, candidacy: Candidacy | None = None) -> None:
        self._viewer = viewer
        self._group_filter = filters
        self._candidacy = candidacy
        self.parameters: dict[str, Any] = {**viewer.parameters(), **_lists(vars(filters))}
        if candidacy is not None:
            self.parameters |= candidacy.parameters()
        self._order = "modified_at" if filters.modified else "name_key"
        self._conditions = self._filters()
        self._few = self._lookups()

    def page(self) -> str:
        """Return the SQL of the page's rows."""
        key = f"g.{self._order}, g.group_id"
        parts = self._parts(f"SELECT g.group_id, g.{self._order} FROM groups g", f" ORDER BY {key} LIMIT %(top)s")
        picked = " UNION ALL ".join(f"({each})" for each in parts)
        cut = f"SELECT group_id FROM ({picked}) p ORDER BY {self._order}, group_id LIMIT %(limit)s OFFSET %(offset)s"
        return SHOW.format(picked=cut, order=self._order)

    def counted(self) -> str:
        """Return the SQL that counts all rows."""
        counts = (f"({each})" for each in self._parts("SELECT count(*) AS number FROM groups g", ""))
        return f"SELECT coalesce(sum(number), 0)::bigint FROM ({' UNION ALL '.join(counts)}) c"

    def _parts(self, select: str, cut: str) -> list[str]:
        """Return disjoint selections from what the viewer sees, each cut where the page ends if there is a cut."""
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

    def _countable(self, part: VisibleGroups) -> bool:
        """Return whether the totals, by organization, types and whether a group is active, can tell the number."""
        asked = vars(self._group_filter)
        known = ("types", "organization_id", "node_type", "include_inactive", "with_people")
        plain = vars(GroupFilter(**{name: asked[name] for name in known}))
        return part.entries is None and asked == plain

    def _visible(self) -> list[VisibleGroups]:
        active = _ACTIVE_NOW if self._few else "g.active"
        if self._candidacy is not None:
            return self._candidacy.groups(self._viewer, active)
        return visible_groups(
            self._viewer,
            active,
            include_inactive=self._group_filter.include_inactive,
            tells_of_people=self._group_filter.tells_of_people,
        )

    def _filters(self) -> list[str]:
        filters = self._group_filter
        conditions = ["g.type = ANY(%(types)s)"]
        conditions += [condition for name, condition in _FILTERS.items() if getattr(filters, name) not in (None, ())]
        if filters.text is not None:
            self.parameters["text"] = containing(name_key(filters.text))
        if filters.name is not None:
            self.parameters["name"] = name_key(filters.name)
        if filters.tree_node_type is not None:
            conditions.append("g.child_count = 0" if filters.tree_node_type == "leaf" else "g.child_count > 0")
        if self._candidacy is not None:
            conditions.append(CANDIDATE)
        for number, (comparator, moment) in enumerate(filters.modified):
            self.parameters[f"moment{number}"] = moment
            conditions.append(f"g.modified_at {comparator} %(moment{number})s")
        return conditions

    def _lookups(self) -> str:
        return " INTERSECT ".join(
            lookup for name, lookup in _LOOKUPS.items() if getattr(self._group_filter, name) not in (None, ())
        )


def _lists(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with lists for tuples: psycopg takes tuples for records."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


# where it costs little: no caller may read a group that has just been deactivated, whatever its row still says
_ACTIVE_NOW = "EXISTS (SELECT FROM access_groups a WHERE a.group_id = g.group_id AND a.active)"
_TOTAL = "SELECT sum(g.total) AS number FROM group_totals g"
_PER_WHOLE = "SELECT x.* FROM unnest(%(whole)s::uuid[]) o(id) CROSS JOIN LATERAL ({inner}) x"

# the groups that an individual is in: stored, or computed
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

SHOW = """
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
