"""The groups in which a viewer could place an individual: eligible-members would list them there (ruling F1)."""

from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor

from projections.access.policy import LEADERS
from projections.core.visibility import Viewer, permitted
from projections.core.visible_groups import VisibleGroups


class Candidacy(NamedTuple):
    """They could be placed in groups of `organizations` at the top or under `parents`, unless they are `placed`.

    `governed` are those of the organizations all of whose groups the viewer may change.
    """

    organizations: list[UUID]
    placed: list[UUID]
    parents: list[UUID]
    governed: list[UUID]

    def parameters(self) -> dict[str, Any]:
        """Return what the conditions refer to: the whole organizations of this list are the governed ones."""
        return {**self._asdict(), "whole": self.governed}

    def groups(self, viewer: Viewer, active: str) -> list[VisibleGroups]:
        """Return the groups that the viewer may place them in, as disjoint parts; `active` is a condition on `g`."""
        parts = [VisibleGroups(f"{active} AND {where}", per_whole=True) for where in CANDIDATE_WHERE]
        if viewer.entries:
            parts.append(VisibleGroups(f"{active} AND ({' OR '.join(CANDIDATE_WHERE)})", entries=LEADERS))
        return parts


async def candidacy_of(cursor: AsyncCursor, viewer: Viewer, individual_id: UUID) -> Candidacy | None:
    """Return where they could be placed, None when the viewer may not write them."""
    if not await permitted(cursor, viewer.user_id, "individual", "write", [individual_id]):
        return None
    await cursor.execute(_CANDIDACY, {"individual": individual_id})
    row = await cursor.fetchone()
    assert row is not None
    organizations, placed, parents = row
    governed = [each for each in organizations if viewer.governs(each)]
    return Candidacy(organizations, placed, parents, governed)


_CANDIDACY = """
SELECT ARRAY(SELECT organization_id FROM individual_organizations JOIN access_organizations USING (organization_id)
             WHERE individual_id = %(individual)s AND active ORDER BY 1),
       ARRAY(SELECT group_id FROM group_individuals WHERE individual_id = %(individual)s),
       ARRAY(SELECT DISTINCT c.ancestor_id FROM group_individuals p JOIN group_closure c ON c.descendant_id = p.group_id
             WHERE p.individual_id = %(individual)s)
"""
CANDIDATE = """g.type = 'regular' AND g.organization_id = ANY(%(organizations)s) AND g.group_id <> ALL(%(placed)s)"""
CANDIDATE_WHERE = ("g.parent_id IS NULL", "g.parent_id = ANY(%(parents)s)")
"""Disjoint, and each an index of its own."""
