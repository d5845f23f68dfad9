"""What lists and detail pages show of users: pages of them, and the facts that stand elsewhere.

Rows of users are as far as the background projection; who is inside which organization is never stale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

SORT_KEYS = {"id": "", "email": "u.email_key", "first-name": "u.first_name_key", "last-name": "u.last_name_key"}

PLACE = "SELECT FROM user_places p WHERE p.user_id = u.user_id AND p.organization_id = %({0})s"
SHARERS_WITH_USER = """
SELECT i.owner_id FROM individual_users s JOIN access_individuals i USING (individual_id)
WHERE s.user_id = %(sharee)s"""
ADMINISTRATORS = "SELECT user_id FROM organization_users WHERE admin"


class UserRow(NamedTuple):
    """A user as the background projection knows him."""

    user_id: UUID
    classification: str
    account_type: str
    individual_id: UUID | None
    email: str | None
    phone: str | None
    username: str | None
    first_name: str | None
    last_name: str | None
    birth_date: date | None
    communication_preferences: dict[str, Any] | None
    locale: str | None
    tz: str | None
    email_verified: bool
    phone_verified: bool
    registered: bool
    confirmed: bool
    enabled: bool
    reset_required: bool
    archived: bool
    registration_invite: str
    registration_completed_at: datetime | None
    auto_sign_up: bool
    auto_confirm: bool
    organization_ids: list[UUID]
    default_organization_id: UUID | None
    created_at: datetime
    modified_at: datetime
    state: str

    @property
    def current_organization(self) -> UUID | None:
        """The default if he is still in it, else the one he joined first (ruling C5)."""
        if self.default_organization_id in self.organization_ids:
            return self.default_organization_id
        return self.organization_ids[0] if self.organization_ids else None


@dataclass(frozen=True, kw_only=True)
class UserFilter:
    """Which users; all conditions must hold. `modified` are comparators with moments."""

    organization: UUID | None = None
    participants: bool = False
    inactive: bool = False
    unverified: bool = False
    testers: bool = True
    administrators: bool = False
    email: str | None = None
    phone: str | None = None
    username: str | None = None
    text: str | None = None
    classification: str | None = None
    email_verified: bool | None = None
    enabled: bool | None = None
    shared_with_organization: UUID | None = None
    shared_with_user: UUID | None = None
    individuals: Sequence[UUID] = ()
    invites: Sequence[str] = ()
    modified: Sequence[tuple[str, datetime]] = ()

    def where(self) -> tuple[str, dict[str, Any]]:
        """The condition on `u`, and its parameters."""
        conditions = _Conditions()
        self._select_kinds(conditions)
        self._select_values(conditions)
        for number, (comparator, moment) in enumerate(self.modified):
            conditions.add(f"u.modified_at {comparator} %(modified{number})s", **{f"modified{number}": moment})
        return " AND ".join(conditions.parts) or "true", conditions.values

    @property
    def counted_by_place(self) -> bool:
        """Whether `user_places` alone tells how many there are."""
        return self.organization is not None and self == UserFilter(
            organization=self.organization, participants=self.participants
        )

    def _select_kinds(self, conditions: "_Conditions") -> None:
        # somebody who shares is a participant: asking for sharers is asking for participants
        sharers = self.shared_with_organization is not None or self.shared_with_user is not None
        participants = self.participants or sharers
        if self.organization is not None:
            place = PLACE.format("organization") + ("" if participants else " AND p.provider")
            conditions.add(f"EXISTS ({place})", organization=self.organization)
        elif not participants:
            conditions.add("u.account_type = 'provider'")
        if self.shared_with_organization is not None:
            place = PLACE.format("sharee") + " AND p.participant"
            conditions.add(f"EXISTS ({place})", sharee=self.shared_with_organization)
        if self.shared_with_user is not None:
            conditions.add(f"u.user_id IN ({SHARERS_WITH_USER})", sharee=self.shared_with_user)
        if self.administrators:
            here = " AND organization_id = %(organization)s" if self.organization is not None else ""
            conditions.add(f"u.user_id IN ({ADMINISTRATORS}{here})")
        if not self.inactive:
            conditions.add("NOT u.archived")
        if not self.unverified:
            conditions.add("u.verified")
        if not self.testers:
            conditions.add("u.classification <> 'customer_test'")

    def _select_values(self, conditions: "_Conditions") -> None:
        for column in ("classification", "email_verified", "enabled", "phone"):
            if (value := getattr(self, column)) is not None:
                conditions.add(f"u.{column} = %({column})s", **{column: value})
        for column in ("email", "username"):
            if (value := getattr(self, column)) is not None:
                conditions.add(f"u.{column}_key = %({column})s", **{column: value.casefold()})
        if self.text is not None:
            columns = ("u.email_key", "u.first_name_key", "u.last_name_key")
            conditions.add(
                f"({' OR '.join(f'{column} LIKE %(text)s' for column in columns)})", text=_beginning(self.text)
            )
        if self.individuals:
            conditions.add("u.individual_id = ANY(%(individuals)s)", individuals=list(self.individuals))
        if self.invites:
            conditions.add("u.registration_invite = ANY(%(invites)s)", invites=list(self.invites))


class _Conditions:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.values: dict[str, Any] = {}

    def add(self, part: str, **values: Any) -> None:
        self.parts.append(part)
        self.values |= values


def _beginning(text: str) -> str:
    """The LIKE pattern of what begins with the text, whatever its case."""
    escaped = text.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{escaped}%"


async def users_page(
    cursor: AsyncCursor, wanted: UserFilter, *, sort: str, limit: int, offset: int
) -> tuple[list[UserRow], int]:
    """A page, and how many there are in all. `sort` is a key of SORT_KEYS, with "-" before it for the reverse."""
    where, values = wanted.where()
    key = "u.modified_at" if wanted.modified else SORT_KEYS[sort.removeprefix("-")]
    order = ", ".join(f"{column}{' DESC' * sort.startswith('-')}" for column in (key, "u.user_id") if column)
    rows = cursor.connection.cursor(row_factory=class_row(UserRow))
    await rows.execute(
        f"SELECT {_COLUMNS} FROM users u WHERE {where} ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s",
        {**values, "limit": limit, "offset": offset},
    )
    page = await rows.fetchall()
    if 0 < len(page) < limit or (not page and offset == 0):
        return page, offset + len(page)
    return page, await _count(cursor, wanted)


async def _count(cursor: AsyncCursor, wanted: UserFilter) -> int:
    where, values = wanted.where()
    if wanted.counted_by_place:
        where = "p.organization_id = %(organization)s AND p.listed" + ("" if wanted.participants else " AND p.provider")
        await cursor.execute(f"SELECT count(*) FROM user_places p WHERE {where}", values)
    else:
        await cursor.execute(f"SELECT count(*) FROM users u WHERE {where}", values)
    counted = await cursor.fetchone()
    assert counted is not None
    return int(counted[0])


async def user(cursor: AsyncCursor, user_id: UUID) -> UserRow | None:
    """One user."""
    rows = cursor.connection.cursor(row_factory=class_row(UserRow))
    await rows.execute(f"SELECT {_COLUMNS} FROM users u WHERE u.user_id = %s", [user_id])
    return await rows.fetchone()


_COLUMNS = ", ".join(f"u.{column}" for column in UserRow._fields)


async def is_organization(cursor: AsyncCursor, party_id: UUID) -> bool:
    """Whether there is an organization with this id."""
    await cursor.execute("SELECT FROM access_organizations WHERE organization_id = %s", [party_id])
    return await cursor.fetchone() is not None
