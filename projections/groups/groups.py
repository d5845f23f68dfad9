"""Groups as lists and details show them. Rosters and rights are not here but in the tables that decide access."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.recorded import Recorded
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry
from domain.groups.trees import GroupTree
from domain.people.login_names import folded
from projections.core.projection import Projection
from projections.core.rows import write

TICK = timedelta(microseconds=1)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def name_key(name: str) -> str:
    """What names are compared, searched and sorted by."""
    return folded(name)


class GroupsFold:
    """A batch of events as its outcome for each group. `modified` grows with the position, from `latest` on."""

    def __init__(self, latest: datetime) -> None:
        self._latest = latest
        self.created: dict[UUID, Group.Created] = {}
        self.names: dict[UUID, str] = {}
        self.tags: dict[UUID, list[str]] = {}
        self.individuals: Counter[UUID] = Counter()
        self.children: Counter[UUID] = Counter()
        self.parents: dict[UUID, UUID | None] = {}
        self.deactivated: list[UUID] = []
        self.modified: dict[UUID, datetime] = {}

    def add(self, recorded: Recorded) -> None:
        """The next event of the log."""
        event: Any = recorded.event
        group_id = event.originator_id
        match event:
            case Group.Created():
                self.created[group_id] = event
            case Group.Renamed(name=name):
                self.names[group_id] = name
            case Group.TagsChanged(tags=tags):
                self.tags[group_id] = tags
            case Group.Deactivated():
                self.deactivated.append(group_id)
            case GroupTree.Moved(group_id=group_id, old_parent_id=old, parent_id=new):
                self._move(group_id, old, new)
            case (
                RosterEntry.Created(group_id=group_id, kind=kind) | RosterEntry.AddedAgain(group_id=group_id, kind=kind)
            ):
                self.individuals[group_id] += kind == "individual"
            case RosterEntry.Removed(group_id=group_id, kind=kind):
                self.individuals[group_id] -= kind == "individual"
        self._latest = max(event.timestamp, self._latest + TICK)
        self.modified[group_id] = self._latest

    def _move(self, group_id: UUID, old: UUID | None, new: UUID | None) -> None:
        self.parents[group_id] = new
        if old is not None:
            self.children[old] -= 1
        if new is not None:
            self.children[new] += 1


class GroupsProjection(Projection):
    """Set-based throughout: a batch is one statement per kind of change."""

    name = "groups"
    version = 2
    tables = ("groups", "group_totals")
    events = (
        Group.Created,
        Group.Renamed,
        Group.TagsChanged,
        Group.Deactivated,
        GroupTree.Moved,
        RosterEntry.Created,
        RosterEntry.AddedAgain,
        RosterEntry.Removed,
    )

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """New rows first, then what changed in old and new ones alike."""
        await cursor.execute("SELECT max(modified_at) FROM groups")
        row = await cursor.fetchone()
        fold = GroupsFold(row[0] if row and row[0] else LONG_AGO)
        for recorded in events:
            fold.add(recorded)
        await write(cursor, _CREATE, (_new_row(group_id, event, fold) for group_id, event in fold.created.items()))
        created = Counter((each.organization_id, each.type, each.node_type) for each in fold.created.values())
        await write(cursor, _ADD_TO_TOTALS, ((*kind, number) for kind, number in created.items()))
        await write(cursor, _NAME, ((key, name, name_key(name)) for key, name in fold.names.items()))
        # one by one: Postgres has no arrays of arrays of different lengths
        for group_id, tags in fold.tags.items():
            await cursor.execute(_TAG, (tags, group_id))
        await write(cursor, _COUNT_INDIVIDUALS, ((key, change) for key, change in fold.individuals.items() if change))
        await write(cursor, _COUNT_CHILDREN, ((key, change) for key, change in fold.children.items() if change))
        await write(cursor, _PLACE, fold.parents.items())
        if fold.deactivated:  # after the moves: an inactive group stays where it last stood
            await cursor.execute(_LOSE_CHILDREN, (fold.deactivated,))
            await cursor.execute(_DEACTIVATE, (fold.deactivated,))
            await cursor.execute(_CHANGE_TOTALS, (fold.deactivated,))
        await write(cursor, _STAMP, fold.modified.items())


def _new_row(group_id: UUID, event: Group.Created, fold: GroupsFold) -> tuple[Any, ...]:
    kept = (group_id, event.organization_id, event.name, name_key(event.name), event.node_type, event.type)
    return (*kept, "{" + ",".join(map(_quoted, event.tags)) + "}", fold.modified[group_id])


def _quoted(tag: str) -> str:
    escaped = tag.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# tags travel as array literals, one text each
_CREATE = """
INSERT INTO groups (group_id, organization_id, name, name_key, node_type, type, tags, modified_at)
SELECT id, organization_id, name, name_key, node_type, type, tags::text[], at
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
     AS new(id, organization_id, name, name_key, node_type, type, tags, at)
"""
_NAME = """
UPDATE groups g SET name = new.name, name_key = new.name_key
FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS new(id, name, name_key) WHERE g.group_id = new.id
"""
_TAG = "UPDATE groups SET tags = %s::text[] WHERE group_id = %s"
_COUNT = """
UPDATE groups g SET {column} = g.{column} + new.change
FROM unnest(%s::uuid[], %s::bigint[]) AS new(id, change) WHERE g.group_id = new.id
"""
_COUNT_INDIVIDUALS = _COUNT.format(column="individuals_count")
_COUNT_CHILDREN = _COUNT.format(column="child_count")
_PLACE = """
UPDATE groups g SET parent_id = new.parent_id
FROM unnest(%s::uuid[], %s::uuid[]) AS new(id, parent_id) WHERE g.group_id = new.id
"""
_LOSE_CHILDREN = """
UPDATE groups p SET child_count = p.child_count - gone.number
FROM (SELECT parent_id, count(*) AS number FROM groups WHERE group_id = ANY(%s::uuid[]) GROUP BY parent_id) gone
WHERE p.group_id = gone.parent_id
"""
_ADD_TO_TOTALS = """
INSERT INTO group_totals (organization_id, type, node_type, active, total)
SELECT organization_id, type, node_type, true, number
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bigint[]) AS new(organization_id, type, node_type, number)
ON CONFLICT ON CONSTRAINT group_totals_pkey DO UPDATE SET total = group_totals.total + EXCLUDED.total
"""
_CHANGE_TOTALS = """
INSERT INTO group_totals (organization_id, type, node_type, active, total)
SELECT organization_id, type, node_type, became.active, sum(became.change)
FROM groups CROSS JOIN (VALUES (true, -1), (false, 1)) AS became(active, change)
WHERE group_id = ANY(%s::uuid[]) GROUP BY organization_id, type, node_type, became.active
ON CONFLICT ON CONSTRAINT group_totals_pkey DO UPDATE SET total = group_totals.total + EXCLUDED.total
"""
_DEACTIVATE = "UPDATE groups SET active = false WHERE group_id = ANY(%s::uuid[])"
_STAMP = """
UPDATE groups g SET modified_at = new.at
FROM unnest(%s::uuid[], %s::timestamptz[]) AS new(id, at) WHERE g.group_id = new.id
"""
