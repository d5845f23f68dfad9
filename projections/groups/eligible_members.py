"""The people whom a caller could add to a group (semantics 5: eligible candidates; rulings F11 and D3)."""

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.people.login_names import folded
from projections.core.patterns import beginning
from projections.core.visibility import WRITES_INDIVIDUAL, Viewer


class EligibleRow(NamedTuple):
    """A candidate: `id` is a user's, or an individual's when individuals are asked for."""

    id: UUID
    individual_id: UUID | None
    email: str | None
    first_name: str | None
    last_name: str | None
    email_verified: bool
    phone_verified: bool
    verified: bool
    communication_preferences: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class EligibleFilter:
    """`for_children`: for a group that would be a child of this one."""

    member_type: str
    for_children: bool = False
    text: str | None = None
    verified: bool | None = None
    registration_invite: str | None = None


async def page(
    cursor: AsyncCursor, viewer: Viewer, group_id: UUID, filters: EligibleFilter, *, limit: int, offset: int
) -> tuple[list[EligibleRow], int]:
    """Return a page of the candidates by last name, first name and id, and how many there are."""
    await cursor.execute(_GROUP, (group_id,))
    row = await cursor.fetchone()
    assert row is not None, "the caller may change it, so it exists"
    organization_id, group_type, parent_id = row
    if group_type != "regular" and (group_type != "provider_only" or filters.member_type == "individual"):
        return [], 0
    parameters = {
        **viewer.parameters(),
        "group": group_id,
        "organization": organization_id,
        "kind": filters.member_type,
        "frame": group_id if filters.for_children else parent_id,
        "text": None if filters.text is None else beginning(folded(filters.text)),
        "verified": filters.verified,
        "invite": filters.registration_invite,
        "limit": limit,
        "offset": offset,
    }
    individuals = filters.member_type == "individual"
    candidates = _individuals(viewer, organization_id) if individuals else _PROVIDERS
    within = _WITHIN_INDIVIDUALS if individuals else _WITHIN_PROVIDERS
    already = _PLACED if individuals else _ROSTERED
    conditions = [candidates]
    conditions += [within] if parameters["frame"] is not None else []
    conditions += [] if filters.for_children else [already]
    conditions += [condition for name, condition in _FILTERS.items() if getattr(filters, name) is not None]
    if filters.registration_invite is not None and not (individuals or viewer.governs(organization_id)):
        conditions.append("false")  # of colleagues only administrators see it (rulings E10 and O9)
    chosen = " AND ".join(conditions)
    await cursor.execute(_COUNT.format(candidates=chosen), parameters)
    counted = await cursor.fetchone()
    rows = cursor.connection.cursor(row_factory=class_row(EligibleRow))
    await rows.execute(_PAGE.format(columns=_COLUMNS[individuals], candidates=chosen), parameters)
    return await rows.fetchall(), counted[0] if counted else 0


def _individuals(viewer: Viewer, organization_id: UUID) -> str:
    """Return the SQL of those of the organization that the caller may change."""
    if viewer.unlimited or organization_id in viewer.whole:
        return _INDIVIDUALS
    return f"{_INDIVIDUALS} AND {WRITES_INDIVIDUAL.format(individual='m.individual_id')}"


_GROUP = "SELECT organization_id, type, parent_id FROM access_groups WHERE group_id = %s"

_PROVIDERS = """organization_users m JOIN access_users a USING (user_id) LEFT JOIN users u USING (user_id)
    WHERE m.organization_id = %(organization)s AND m.provider AND a.enabled AND NOT a.archived"""
_INDIVIDUALS = """individual_organizations m JOIN access_individuals i USING (individual_id)
    LEFT JOIN access_users a ON a.user_id = i.owner_id LEFT JOIN users u ON u.user_id = i.owner_id
    WHERE m.organization_id = %(organization)s AND a.archived IS NOT TRUE"""
_WITHIN_PROVIDERS = """m.user_id IN (
    SELECT s.user_id FROM group_closure c JOIN group_users s ON s.group_id = c.descendant_id
    WHERE c.ancestor_id = %(frame)s)"""
_WITHIN_INDIVIDUALS = """m.individual_id IN (
    SELECT p.individual_id FROM group_closure c JOIN group_individuals p ON p.group_id = c.descendant_id
    WHERE c.ancestor_id = %(frame)s)"""
_ROSTERED = """NOT EXISTS (
    SELECT FROM group_users s WHERE s.user_id = m.user_id AND s.group_id = %(group)s AND s.kind = %(kind)s)"""
_PLACED = """NOT EXISTS (
    SELECT FROM group_individuals p WHERE p.individual_id = m.individual_id AND p.group_id = %(group)s)"""
_FILTERS = {
    "text": "(u.first_name_key LIKE %(text)s OR u.last_name_key LIKE %(text)s OR u.email_text LIKE %(text)s)",
    "verified": "coalesce(u.verified, false) = %(verified)s",
    "registration_invite": "coalesce(u.registration_invite, 'none') = %(invite)s",
}
_COLUMNS = {False: "m.user_id AS id, u.individual_id", True: "m.individual_id AS id, m.individual_id"}
_COUNT = "SELECT count(*) FROM {candidates}"
_PAGE = """
SELECT {columns}, u.email, u.first_name, u.last_name, coalesce(u.email_verified, false) AS email_verified,
    coalesce(u.phone_verified, false) AS phone_verified, coalesce(u.verified, false) AS verified,
    u.communication_preferences
FROM {candidates}
ORDER BY u.last_name_key, u.first_name_key, id LIMIT %(limit)s OFFSET %(offset)s
"""
