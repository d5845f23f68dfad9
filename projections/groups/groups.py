"""Groups as lists and details show them. Rosters and rights are not here but in the tables that decide access."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.recorded import Recorded
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry
from domain.groups.trees import GroupTree
from domain.people.login_names import folded
from projections.core.fold import Fold, handler
from projections.core.projection import Projection
from projections.core.rows import Row, add_to_totals, insert, update, write


def name_key(name: str) -> str:
    """Return what a name is compared, searched and sorted by."""
    return folded(name)


class GroupsFold(Fold):
    """A batch of events as its outcome for each group. `modified` grows with the position, as times of events do."""

    def __init__(self) -> None:
        self.created: dict[UUID, Group.Created] = {}
        self.names: dict[UUID, str] = {}
        self.tags: dict[UUID, list[str]] = {}
        self.individuals: Counter[UUID] = Counter()
        self.children: Counter[UUID] = Counter()
        self.parents: dict[UUID, UUID | None] = {}
        self.deactivated: list[UUID] = []
        self.modified: dict[UUID, datetime] = {}

    @handler
    def create(self, event: Group.Created) -> None:
        self.created[event.originator_id] = event
        self._modify(event.originator_id, event)

    @handler
    def rename(self, event: Group.Renamed) -> None:
        self.names[event.originator_id] = event.name
        self._modify(event.originator_id, event)

    @handler
    def change_tags(self, event: Group.TagsChanged) -> None:
        self.tags[event.originator_id] = event.tags
        self._modify(event.originator_id, event)

    @handler
    def deactivate(self, event: Group.Deactivated) -> None:
        self.deactivated.append(event.originator_id)
        self._modify(event.originator_id, event)

    @handler
    def move(self, event: GroupTree.Moved) -> None:
        self.parents[event.group_id] = event.parent_id
        if event.old_parent_id is not None:
            self.children[event.old_parent_id] -= 1
        if event.parent_id is not None:
            self.children[event.parent_id] += 1
        self._modify(event.group_id, event)

    @handler
    def add_entry(self, event: RosterEntry.Created | RosterEntry.AddedAgain) -> None:
        self.individuals[event.group_id] += event.kind == "individual"
        self._modify(event.group_id, event)

    @handler
    def remove_entry(self, event: RosterEntry.Removed) -> None:
        self.individuals[event.group_id] -= event.kind == "individual"
        self._modify(event.group_id, event)

    def _modify(self, group_id: UUID, event: Any) -> None:
        self.modified[group_id] = event.timestamp


class GroupsProjection(Projection):
    """Set-based throughout: a batch is one statement per kind of change."""

    name = "groups"
    version = 2
    tables = ("groups", "group_totals")
    events = GroupsFold.events

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """Write new rows first, then what changed in old and new ones alike."""
        fold = await GroupsFold().add_all(events)
        await insert(cursor, "groups", (_new_row(event, fold) for event in fold.created.values()))
        await add_to_totals(cursor, "group_totals", TOTAL_KEY, _new_totals(fold))
        await _set(cursor, {key: {"name": name, "name_key": name_key(name)} for key, name in fold.names.items()})
        await _set(cursor, {key: {"tags": tags} for key, tags in fold.tags.items()})
        await write(cursor, _COUNT_CHILDREN, ((key, change) for key, change in fold.children.items() if change))
        await _set(cursor, {key: {"parent_id": parent_id} for key, parent_id in fold.parents.items()})
        if fold.deactivated:  # after the moves: an inactive group stays where it last stood
            await cursor.execute(_LOSE_CHILDREN, (fold.deactivated,))
            await cursor.execute(_DEACTIVATE, (fold.deactivated,))
            await cursor.execute(_CHANGE_TOTALS, (fold.deactivated,))
        await write(cursor, _STAMP, ((key, at, fold.individuals[key]) for key, at in fold.modified.items()))


async def _set(cursor: AsyncCursor, changes: Mapping[UUID, Row]) -> None:
    await update(cursor, "groups", ("group_id",), ({"group_id": key, **row} for key, row in changes.items()))


def _new_row(event: Group.Created, fold: GroupsFold) -> Row:
    return {
        "group_id": event.originator_id,
        "organization_id": event.organization_id,
        "name": event.name,
        "name_key": name_key(event.name),
        "node_type": event.node_type,
        "type": event.type,
        "tags": event.tags,
        "modified_at": fold.modified[event.originator_id],
    }


def _new_totals(fold: GroupsFold) -> Iterator[Row]:
    created = Counter((each.organization_id, each.type, each.node_type, True) for each in fold.created.values())
    for kind, number in created.items():
        yield dict(zip(TOTAL_KEY, kind, strict=True)) | {"total": number}


TOTAL_KEY = ("organization_id", "type", "node_type", "active")
_STAMP = """
UPDATE groups g SET modified_at = new.at, individuals_count = g.individuals_count + new.individuals
FROM unnest(%s::uuid[], %s::timestamptz[], %s::bigint[]) AS new(id, at, individuals) WHERE g.group_id = new.id
"""
_COUNT_CHILDREN = """
UPDATE groups g SET child_count = g.child_count + new.change
FROM unnest(%s::uuid[], %s::bigint[]) AS new(id, change) WHERE g.group_id = new.id
"""
_LOSE_CHILDREN = """
UPDATE groups p SET child_count = p.child_count - gone.number
FROM (SELECT parent_id, count(*) AS number FROM groups WHERE group_id = ANY(%s::uuid[]) GROUP BY parent_id) gone
WHERE p.group_id = gone.parent_id
"""
_CHANGE_TOTALS = """
INSERT INTO group_totals (organization_id, type, node_type, active, total)
SELECT organization_id, type, node_type, became.active, sum(became.change)
FROM groups CROSS JOIN (VALUES (true, -1), (false, 1)) AS became(active, change)
WHERE group_id = ANY(%s::uuid[]) GROUP BY organization_id, type, node_type, became.active
ON CONFLICT ON CONSTRAINT group_totals_pkey DO UPDATE SET total = group_totals.total + EXCLUDED.total
"""
_DEACTIVATE = "UPDATE groups SET active = false WHERE group_id = ANY(%s::uuid[])"
