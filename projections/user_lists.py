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

from projections.access_status import AccessStatus, access_statuses

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


class Share(NamedTuple):
    """With whom an individual of the user's is shared; names are of organizations."""

    user_id: UUID
    type: str
    id: UUID
    name: str | None
    display_name: str | None


class HeldRole(NamedTuple):
    """A role that the user holds."""

    id: UUID
    name: str
    display_name: str
    organization_id: UUID
    organization_name: str
    organization_display_name: str


class Membership(NamedTuple):
    """An organization whose provider the user is."""

    id: UUID
    name: str
    display_name: str


@dataclass(frozen=True)
class Surroundings:
    """What stands elsewhere about some users, by their id."""

    last_logins: dict[UUID, datetime]
    administers: dict[UUID, set[UUID]]
    shares: dict[UUID, list[Share]]
    further_individuals: dict[UUID, list[UUID]]
    access: dict[UUID, AccessStatus]


async def surroundings(cursor: AsyncCursor, user_ids: Sequence[UUID]) -> Surroundings:
    """Of some users, in a statement for each kind of fact."""
    ids = list(user_ids)
    shares: dict[UUID, list[Share]] = {}
    for share in await _rows(cursor, Share, SHARES, ids):
        shares.setdefault(share.user_id, []).append(share)
    administers: dict[UUID, set[UUID]] = {}
    further: dict[UUID, list[UUID]] = {}
    for user_id, organization_id in await _tuples(cursor, ADMINISTERED, ids):
        administers.setdefault(user_id, set()).add(organization_id)
    for user_id, individual_id in await _tuples(cursor, FURTHER_INDIVIDUALS, ids):
        further.setdefault(user_id, []).append(individual_id)
    return Surroundings(
        dict(await _tuples(cursor, LAST_LOGINS, ids)), administers, shares, further, await access_statuses(cursor, ids)
    )


async def _tuples(cursor: AsyncCursor, query: str, ids: list[UUID]) -> list[Any]:
    await cursor.execute(query, {"users": ids}, prepare=True)
    return await cursor.fetchall()


async def _rows(cursor: AsyncCursor, kind: type[Any], query: str, ids: list[UUID]) -> list[Any]:
    rows = cursor.connection.cursor(row_factory=class_row(kind))
    await rows.execute(query, {"users": ids}, prepare=True)
    return await rows.fetchall()


LAST_LOGINS = """
SELECT wanted.id, latest.opened_at
FROM unnest(%(users)s::uuid[]) wanted(id) CROSS JOIN LATERAL (
    SELECT opened_at FROM sessions s WHERE s.user_id = wanted.id AND s.kind = 'password' ORDER BY opened_at DESC LIMIT 1
) latest
"""
ADMINISTERED = "SELECT user_id, organization_id FROM organization_users WHERE user_id = ANY(%(users)s) AND admin"
SHARES = """
SELECT i.owner_id AS user_id, 'organization' AS type, s.organization_id AS id, n.name, n.display_name
FROM access_individuals i
JOIN individual_organizations s USING (individual_id)
LEFT JOIN organization_names n USING (organization_id)
WHERE i.owner_id = ANY(%(users)s) AND s.shared
UNION
SELECT i.owner_id, 'user', s.user_id, NULL, NULL
FROM access_individuals i JOIN individual_users s USING (individual_id)
WHERE i.owner_id = ANY(%(users)s)
ORDER BY 2, 3
"""
FURTHER_INDIVIDUALS = """
SELECT i.owner_id, i.individual_id
FROM access_individuals i JOIN users u ON u.user_id = i.owner_id
WHERE i.owner_id = ANY(%(users)s) AND i.individual_id IS DISTINCT FROM u.individual_id ORDER BY 2
"""


async def roles_of(cursor: AsyncCursor, user_id: UUID, organizations: Sequence[UUID] | None) -> list[HeldRole]:
    """Roles that the user holds, those of some organizations only unless None is given, by name and id."""
    rows = cursor.connection.cursor(row_factory=class_row(HeldRole))
    await rows.execute(
        """
        SELECT r.role_id AS id, r.name, r.display_name, n.organization_id, n.name AS organization_name,
               n.display_name AS organization_display_name
        FROM organization_users m
        JOIN roles r USING (organization_id)
        JOIN role_users h USING (role_id)
        JOIN organization_names n USING (organization_id)
        WHERE m.user_id = %(user)s AND h.user_id = %(user)s AND (%(all)s OR organization_id = ANY(%(organizations)s))
        ORDER BY r.name, r.role_id
        """,
        _within(user_id, organizations),
    )
    return await rows.fetchall()


async def organizations_of(
    cursor: AsyncCursor, user_id: UUID, organizations: Sequence[UUID] | None
) -> list[Membership]:
    """Organizations whose provider the user is, of some only unless None is given, by name."""
    rows = cursor.connection.cursor(row_factory=class_row(Membership))
    await rows.execute(
        """
        SELECT n.organization_id AS id, n.name, n.display_name
        FROM organization_users m JOIN organization_names n USING (organization_id)
        WHERE m.user_id = %(user)s AND m.provider AND (%(all)s OR organization_id = ANY(%(organizations)s))
        ORDER BY n.name
        """,
        _within(user_id, organizations),
    )
    return await rows.fetchall()


def _within(user_id: UUID, organizations: Sequence[UUID] | None) -> dict[str, Any]:
    return {"user": user_id, "all": organizations is None, "organizations": list(organizations or ())}


class Viewer(NamedTuple):
    """The organizations in which somebody works, and those of them that he administers."""

    organizations: frozenset[UUID]
    administers: frozenset[UUID]


async def viewer(cursor: AsyncCursor, user_id: UUID) -> Viewer:
    """Where the user has standing as a provider."""
    await cursor.execute(
        """
        SELECT p.organization_id, p.admin FROM organization_users p JOIN access_organizations o USING (organization_id)
        WHERE p.user_id = %s AND p.provider AND o.active
        """,
        [user_id],
    )
    rows = await cursor.fetchall()
    return Viewer(frozenset(row[0] for row in rows), frozenset(row[0] for row in rows if row[1]))


async def is_organization(cursor: AsyncCursor, party_id: UUID) -> bool:
    """Whether there is an organization with this id."""
    await cursor.execute("SELECT FROM access_organizations WHERE organization_id = %s", [party_id])
    return await cursor.fetchone() is not None


async def insides(cursor: AsyncCursor, user_id: UUID) -> set[UUID]:
    """Organizations that the user is inside of: as a provider, or by an individual shared with them (ruling E3)."""
    await cursor.execute(
        """
        SELECT organization_id FROM organization_users WHERE user_id = %(user)s AND provider
        UNION
        SELECT s.organization_id FROM access_individuals i JOIN individual_organizations s USING (individual_id)
        WHERE i.owner_id = %(user)s AND s.shared
        """,
        {"user": user_id},
    )
    return {row[0] for row in await cursor.fetchall()}
