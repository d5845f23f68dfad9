"""The filters of authz-individuals, as conditions on an individual `r` (rulings G2, G10)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

READ_MODEL = "users"
"""What the filters on the owning user look at; all others look at what is never behind."""

_OWNER = "EXISTS (SELECT FROM users w WHERE w.user_id = r.owner_id AND {condition})"

_TEXTS = {
    "email": "w.email_key = %(email)s",
    "first_name": "w.first_name_key = %(first_name)s",
    "last_name": "w.last_name_key = %(last_name)s",
    "phone": "w.phone = %(phone)s",
    "birth_date": "w.birth_date = %(birth_date)s::date",
    "account_type": "w.account_type = %(account_type)s",
}
_FLAGS = ("email_verified", "phone_verified", "registered")
_RARE = {"email", "first_name", "last_name", "phone", "birth_date"}

_BELOW = """r.individual_id IN (
    SELECT p.individual_id FROM group_closure c JOIN group_individuals p ON p.group_id = c.descendant_id
    WHERE c.ancestor_id = %(group)s)"""
_PARTICIPANTS = """r.individual_id IN (
    SELECT b.individual_id FROM individual_organizations b WHERE b.organization_id = %(group_organization)s)"""
_IN_NO_GROUP = """NOT EXISTS (
    SELECT FROM group_individuals p JOIN access_groups g USING (group_id)
    WHERE p.individual_id = r.individual_id AND p.organization_id = %(group_organization)s
      AND g.active AND g.type = 'regular')"""
_IN_GROUP = {
    "regular": [_BELOW],
    "provider_only": [_BELOW],
    "all_participants": [_PARTICIPANTS],
    "unassigned": [_PARTICIPANTS, _IN_NO_GROUP],
}
_LED = """r.individual_id IN (
    SELECT p.individual_id FROM group_users s
    JOIN group_closure c ON c.ancestor_id = s.group_id
    JOIN group_individuals p ON p.group_id = c.descendant_id
    WHERE s.user_id = %(leader)s AND s.kind = 'leader')"""
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

    async def resolved(self, cursor: AsyncCursor) -> tuple[dict[str, Any], list[str]]:
        """Parameters and conditions. A computed group's conditions are its rule; an unknown group has nobody."""
        texts = {name: value.casefold() if isinstance(value, str) else value for name, value in self.owner.items()}
        parameters: dict[str, Any] = {
            "group": self.group_id,
            "leader": self.leader_id,
            "exclude_owners": list(self.exclude_owner_ids),
            **texts,
        }
        conditions = [*self._about_owner()]
        if self.group_id is not None:
            group_type, parameters["group_organization"] = await _group(cursor, self.group_id)
            conditions += _IN_GROUP.get(group_type, ["false"])
        if self.leader_id is not None:
            conditions.append(_LED)
        if self.exclude_owner_ids:
            conditions.append(_NOT_OWNED)
        return parameters, conditions

    def _about_owner(self) -> list[str]:
        """An individual without an owning user has no texts, and its flags are false."""
        conditions = [_OWNER.format(condition=" AND ".join(_TEXTS[name] for name in _TEXTS if name in self.owner))]
        if not _TEXTS.keys() & self.owner.keys():
            conditions = []
        for name in _FLAGS:
            if name in self.owner:
                yes = _OWNER.format(condition=f"w.{name}")
                conditions.append(yes if self.owner[name] else f"NOT {yes}")
        return conditions


NO_FILTER = IndividualFilter()


async def _group(cursor: AsyncCursor, group_id: UUID) -> tuple[str, UUID | None]:
    """Type and organization of an active group; no type for any other."""
    await cursor.execute(
        "SELECT type, organization_id FROM access_groups WHERE group_id = %s AND active", [group_id], prepare=True
    )
    return await cursor.fetchone() or ("", None)
