"""Which groups a viewer is shown in lists: rules of `visibility` as disjoint parts, whose pages and totals add up."""

from typing import NamedTuple

from projections.access.policy import ROSTERED
from projections.core.visibility import Viewer, below_entries, entry_above

SYSTEM_TYPES = "ARRAY['all_participants', 'unassigned']"


class VisibleGroups(NamedTuple):
    """A part of what a viewer sees: of each whole organization, or outside these by their entries, or all of it.

    `shown` is a condition on a group `g`; `entries` are the kinds of entries that count.
    """

    shown: str
    per_whole: bool = False
    entries: str | None = None

    def condition(self, *, few: bool = False) -> str:
        """Return the condition on a group `g`; `few` when it is asked of few groups only."""
        if self.per_whole:
            return f"g.organization_id = {'ANY(%(whole)s)' if few else 'o.id'} AND {self.shown}"
        if self.entries is not None:
            by_entry = entry_above("g", self.entries) if few else below_entries("g", self.entries)
            return f"g.organization_id <> ALL(%(whole)s) AND {self.shown} AND {by_entry}"
        return self.shown


def visible_groups(
    viewer: Viewer, active: str, *, include_inactive: bool, tells_of_people: bool
) -> list[VisibleGroups]:
    """Return disjoint parts; together they are what the viewer sees.

    `active` is the condition that a group `g` is active. `tells_of_people` leaves out what is read only as staff.
    """
    shown = "true" if include_inactive else active
    if viewer.unlimited:
        return [VisibleGroups(shown)]
    shown_to_members = f"({active} OR g.organization_id = ANY(%(administers)s))" if include_inactive else active
    if viewer.staff and not tells_of_people:
        ordinary = f"g.type <> ALL({SYSTEM_TYPES}) AND g.organization_id <> ALL(%(closed)s) AND {shown}"
        system = VisibleGroups(f"g.type = ANY({SYSTEM_TYPES}) AND {shown_to_members}", per_whole=True)
        return [VisibleGroups(ordinary), *([system] if viewer.whole else [])]
    parts = [VisibleGroups(shown_to_members, per_whole=True)] if viewer.whole else []
    if viewer.entries:
        parts.append(VisibleGroups(active, entries=ROSTERED))
    return parts or [VisibleGroups("false")]
