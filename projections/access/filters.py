"""The filters of authz-individuals, as conditions on an individual `r` (rulings G2, G10)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.ports import Operation
from domain.people.login_names import email_key, folded, normal_phone
from projections.access.pages import Reach, Slice
from projections.core.visibility import (
    OWN_OR_IN_ORGANIZATION,
    OWN_OR_IN_ROSTER,
    OWNS,
    Viewer,
    groups_with_people,
)

READ_MODEL = "users"
"""The projection whose tables the filters on the owning user read; the other tables are never behind the log."""

# Of few individuals each is looked up by itself: the fence keeps the planner from looking up everybody at once.
_FENCE = "OFFSET 0"

_OWNER = "EXISTS (SELECT FROM users w WHERE w.user_id = r.owner_id AND {condition} {{fence}})"

_TEXTS = {
    "email": "w.email_key = %(email)s",
    "first_name": "w.first_name_key = %(first_name)s",
    "last_name": "w.last_name_key = %(last_name)s",
    "phone": "w.phone_key = %(phone)s",
    "birth_date": "w.birth_date = %(birth_date)s::date",
    "account_type": "w.account_type = %(account_type)s",
}
FLAGS = frozenset({"email_verified", "phone_verified", "registered"})
ACCOUNT_TYPES = ("patient", "provider")
_IN_ROSTERS = FLAGS | {"account_type", "birth_date"}
_RARE = {"email", "first_name", "last_name", "phone", "birth_date"}

_OF_ORGANIZATION = """EXISTS (
    SELECT FROM individual_organizations b
    WHERE b.individual_id = r.individual_id AND b.organization_id = %({organization})s {{fence}})"""
_BELOW = """EXISTS (
    SELECT FROM group_individuals p JOIN group_closure c ON c.descendant_id = p.group_id
    WHERE p.individual_id = r.individual_id AND c.ancestor_id = %(group)s {fence})"""
_PARTICIPANTS = _OF_ORGANIZATION.format(organization="group_organization")
_IN_NO_GROUP = """NOT EXISTS (
    SELECT FROM group_individuals p JOIN access_groups g USING (group_id)
    WHERE p.individual_id = r.individual_id AND p.organization_id = %(group_organization)s
      AND g.active AND g.type = 'regular' {fence})"""
_IN_GROUP = {
    "regular": [_BELOW],
    "provider_only": [_BELOW],
    "all_participants": [_PARTICIPANTS],
    "unassigned": [_PARTICIPANTS, _IN_NO_GROUP],
}
_LED = """EXISTS (
    SELECT FROM group_individuals p
    JOIN group_closure c ON c.descendant_id = p.group_id
    JOIN group_users s ON s.group_id = c.ancestor_id
    WHERE p.individual_id = r.individual_id AND s.user_id = %(leader)s AND s.kind = 'leader' AND {seen}
    {{fence}})"""
_NOT_OWNED = "r.owner_id <> ALL(%(exclude_owners)s::uuid[])"


@dataclass(frozen=True)
class IndividualFilter:
    """As the contract names them; all must hold. `owner` are texts (compared without case) and flags of the owner."""

    group_id: UUID | None = None
    leader_id: UUID | None = None
    exclude_owner_ids: Sequence[UUID] = ()
    owner: dict[str, str | date | bool] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.selective or bool(self.exclude_owner_ids or self.owner)

    @property
    def selective(self) -> bool:
        """Whether so few may pass that they are better looked at one by one."""
        return bool(self.group_id or self.leader_id or _RARE & self.owner.keys())

    @property
    def textual(self) -> bool:
        """Whether texts of the owner are asked for, which are in no set."""
        return bool(_RARE & self.owner.keys())

    async def resolved(
        self, cursor: AsyncCursor, organization_id: UUID | None, viewer: Viewer, *, one_by_one: bool = False
    ) -> tuple[dict[str, Any], str]:
        """Return parameters and a condition, which keeps individuals of the organization if there is one.

        A computed group's condition is its rule. An unknown group has no individuals, and neither has a group whose
        people the caller may not read. What else they are not shown of a row does not match (ruling O9). It refers to
        `whole` as well.
        """
        parameters: dict[str, Any] = {
            **viewer.parameters(),
            "organization": organization_id,
            "group": self.group_id,
            "leader": self.leader_id,
            "exclude_owners": list(self.exclude_owner_ids),
            **{name: _compared(name, value) for name, value in self.owner.items()},
        }
        conditions = [*self._about_owner(), *self._seen_of_owner(viewer)]
        if organization_id is not None:
            conditions.append(_OF_ORGANIZATION.format(organization="organization"))
            if not viewer.knows_members_of(organization_id):
                conditions.append(OWNS.format(owner="r.owner_id"))
        if self.group_id is not None:
            parameters["group_type"], parameters["group_organization"] = await _group(cursor, self.group_id, viewer)
            conditions += _IN_GROUP.get(parameters["group_type"], ["false"])
        if self.leader_id is not None:
            conditions.append(_LED.format(seen=viewer.sees_leaders("s")))
        if self.exclude_owner_ids:
            conditions.append(_NOT_OWNED)
        return parameters, " AND ".join(conditions or ["true"]).format(fence=_FENCE if one_by_one else "")

    def _about_owner(self) -> list[str]:
        """Return conditions on the owning user; without one an individual has no texts, and its flags are false."""
        conditions = [_OWNER.format(condition=" AND ".join(_TEXTS[name] for name in _TEXTS if name in self.owner))]
        if not _TEXTS.keys() & self.owner.keys():
            conditions = []
        for name in sorted(FLAGS):
            if name in self.owner:
                yes = _OWNER.format(condition=f"w.{name}")
                conditions.append(yes if self.owner[name] else f"NOT {yes}")
        return conditions

    def _seen_of_owner(self, viewer: Viewer) -> list[str]:
        """Return conditions that keep what the caller is shown of owners (ruling E10).

        What rosters show is shown to those who read them, what lists of users show to colleagues.
        """
        if viewer.reads_all:
            return []
        asked = self.owner.keys()
        conditions = []
        if "phone" in asked:
            conditions.append(OWN_OR_IN_ORGANIZATION.format(organizations="administers"))
        if {"email", "first_name", "last_name"} & asked:
            conditions.append(OWN_OR_IN_ORGANIZATION.format(organizations="works_in"))
        if self.about_rosters(viewer):
            conditions.append(OWN_OR_IN_ROSTER)
        return conditions

    def about_rosters(self, viewer: Viewer) -> bool:
        """Return whether it asks for what is seen in rosters only."""
        return not (viewer.reads_all) and bool(_IN_ROSTERS & self.owner.keys())


def _compared(name: str, value: str | date | bool) -> str | date | bool:
    """Return what the column holds of such a value."""
    if not isinstance(value, str):
        return value
    keys = {"email": email_key, "phone": normal_phone}
    return keys.get(name, folded)(value)


NO_FILTER = IndividualFilter()


class IndividualList(NamedTuple):
    """A request for a list of individuals: how far the user's rights reach, and the filters on the individuals.

    `parameters` are those of all statements; `viewer` is the caller, who may not be the user.
    """

    reach: Reach
    operation: Operation
    page: Slice
    filters: IndividualFilter
    viewer: Viewer
    parameters: dict[str, Any]


async def _group(cursor: AsyncCursor, group_id: UUID, viewer: Viewer) -> tuple[str, UUID | None]:
    """Return type and organization of an active group whose people the caller reads; no type for any other."""
    if not (viewer.unlimited or await groups_with_people(cursor, viewer.user_id, [group_id])):
        return "", None
    await cursor.execute(
        "SELECT type, organization_id FROM access_groups WHERE group_id = %s AND active", [group_id], prepare=True
    )
    return await cursor.fetchone() or ("", None)
