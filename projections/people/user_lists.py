"""Users as lists and detail pages show them.

Rows of users are as far as the background projection; who is inside which organization is never stale.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.core.personal import Personal, revealed
from domain.people.login_names import email_key, folded, normal_phone, parse_login_name
from domain.people.users import User
from projections.core.patterns import beginning

SORT_KEYS = {"id": "", "email": "email_text", "first-name": "first_name_key", "last-name": "last_name_key"}

INSIDE = "EXISTS (SELECT FROM organization_people p WHERE p.user_id = u.user_id AND {0})"
SHARES_WITH_ORGANIZATION = """EXISTS (
    SELECT FROM organization_people s
    WHERE s.user_id = {0}.user_id AND s.organization_id = %(sharee)s AND s.participant)"""
SHARES_WITH_USER = """{0}.user_id IN (
    SELECT i.owner_id FROM individual_users s JOIN access_individuals i USING (individual_id)
    WHERE s.user_id = %(sharee)s)"""
ADMINISTERS = "{0}.user_id IN (SELECT user_id FROM organization_users WHERE admin)"
ADMINISTERS_IT = """{0}.user_id IN (
    SELECT user_id FROM organization_users WHERE admin AND organization_id = %(organization)s)"""


TEXTS = ("email_text", "first_name_key", "last_name_key", "full_name_key")
"""Columns in which a text is searched, each with an index."""
FEW = 5_000
"""Matches of a text whose users are looked up one by one, whatever the order of the list."""
MATCHED = " UNION ALL ".join(f"SELECT user_id FROM users WHERE {column} LIKE %(text)s" for column in TEXTS)


class UserRow(NamedTuple):
    """A user as the background projection knows them."""

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
    assumed_locale: str | None
    assumed_tz: str | None
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

    @classmethod
    def of(cls, user: User, known: "UserRow | None" = None) -> "UserRow":
        """Return the user as their events have them; what these do not tell is as it was `known` before.

        An archived user has no personal values any more.
        """

        def told(value: Personal | None) -> str | None:
            return None if user.archived else revealed(value)

        preferences = told(user.communication_preferences)
        return cls(
            user_id=user.id,
            classification=user.classification,
            account_type="provider" if user.organizations else "patient",
            individual_id=user.individual_id,
            email=told(user.names.email),
            phone=told(user.names.phone),
            username=user.login_name,
            first_name=told(user.first_name),
            last_name=told(user.last_name),
            birth_date=None if known is None or user.archived else known.birth_date,
            communication_preferences=None if preferences is None else orjson.loads(preferences),
            locale=user.locale,
            tz=user.tz,
            assumed_locale=user.assumed_locale,
            assumed_tz=user.assumed_tz,
            email_verified=user.email_verified,
            phone_verified=user.phone_verified,
            registered=user.password_hash is not None,
            confirmed=user.confirmed,
            enabled=user.enabled,
            reset_required=user.reset_required,
            archived=user.archived,
            registration_invite="none" if known is None else known.registration_invite,
            registration_completed_at=None if known is None else known.registration_completed_at,
            auto_sign_up=False if known is None else known.auto_sign_up,
            auto_confirm=False if known is None else known.auto_confirm,
            organization_ids=list(user.organizations),
            default_organization_id=user.default_organization_id,
            created_at=user.created_on,
            modified_at=user.modified_on,
            state=user.state,
        )

    @property
    def current_organization(self) -> UUID | None:
        """The default organization if they are still in it, else the one joined first (ruling C5)."""
        if self.default_organization_id in self.organization_ids:
            return self.default_organization_id
        return self.organization_ids[0] if self.organization_ids else None


@dataclass(frozen=True, kw_only=True)
class UserFilter:
    """Which users; all conditions must hold. `modified` are comparators with moments. `matches_none` selects none.

    `matched` are the users whom the text matches, if these are known.
    """

    matches_none: bool = False
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
    matched: Sequence[UUID] | None = None
    classification: str | None = None
    email_verified: bool | None = None
    enabled: bool | None = None
    shared_with_organization: UUID | None = None
    shared_with_user: UUID | None = None
    individuals: Sequence[UUID] = ()
    invites: Sequence[str] = ()
    modified: Sequence[tuple[str, datetime]] = ()

    @property
    def hidden(self) -> bool:
        """Whether it asks for what is not among the basic attributes (ruling E10)."""
        values = (
            self.phone, self.classification, self.email_verified, self.shared_with_organization, self.shared_with_user
        )  # fmt: skip
        several = (self.individuals, self.invites, self.modified)
        return self.administrators or any(value is not None for value in values) or any(several)

    def selection(self) -> "Selection":
        """Return the conditions of the filter."""
        text = self.text if self.matched is None else None
        personal = (self.email, self.phone, self.username, text, *self.individuals)
        place = self.organization or self.shared_with_organization
        from_users = place is None or any(value is not None for value in personal)
        found = Selection("users u" if from_users else "organization_people p")
        if self.matches_none:
            found.add("false")
        self._select_kinds(found)
        self._select_flags(found)
        self._select_values(found)
        return found

    def _select_kinds(self, found: "Selection") -> None:
        # a user who shares is a participant: a filter for sharers is a filter for participants
        sharers = self.shared_with_organization is not None or self.shared_with_user is not None
        participants = self.participants or sharers
        if self.organization is not None:
            inside = "p.organization_id = %(organization)s" + ("" if participants else " AND p.provider")
            found.add(inside if found.name == "p" else INSIDE.format(inside), organization=self.organization)
        elif found.name == "p":
            found.add("p.organization_id = %(sharee)s AND p.participant", sharee=self.shared_with_organization)
        elif not participants:
            found.add("u.account_type = 'provider'")
        if self.shared_with_organization is not None and not (found.name == "p" and self.organization is None):
            found.add(SHARES_WITH_ORGANIZATION, sharee=self.shared_with_organization)
        if self.shared_with_user is not None:
            found.add(SHARES_WITH_USER, sharee=self.shared_with_user)
        if self.administrators:
            found.add(ADMINISTERS if self.organization is None else ADMINISTERS_IT)

    def _select_flags(self, found: "Selection") -> None:
        if not self.inactive:
            found.add("NOT {0}.archived")
        if not self.unverified:
            found.add("{0}.listed")
        if not self.testers:
            # lists do not show whether an archived user was a tester
            found.add(f"({'{0}.archived OR ' * self.inactive}{{0}}.classification <> 'customer_test')")
        for column in ("classification", "email_verified", "enabled"):
            if (value := getattr(self, column)) is not None:
                found.add(f"{{0}}.{column} = %({column})s", **{column: value})
        if self.invites:
            found.add("{0}.registration_invite = ANY(%(invites)s)", invites=list(self.invites))
        for number, (comparator, moment) in enumerate(self.modified):
            found.add(f"{{0}}.modified_at {comparator} %(modified{number})s", **{f"modified{number}": moment})

    def _select_values(self, found: "Selection") -> None:
        if self.phone is not None:
            found.add("u.phone_key = %(phone)s", phone=normal_phone(self.phone))
        if self.email is not None:
            found.add("u.email_key = %(email)s", email=email_key(self.email))
        if self.username is not None:
            found.add("u.username_key = %(username)s", username=parse_login_name(self.username).key)
        if self.matched is not None:
            found.add("{0}.user_id = ANY(%(matched)s)", matched=list(self.matched))
        elif self.text is not None:
            matches = " OR ".join(f"u.{column} LIKE %(text)s" for column in TEXTS)
            found.add(f"({matches})", text=beginning(folded(self.text)))
        if self.individuals:
            found.add("u.individual_id = ANY(%(individuals)s)", individuals=list(self.individuals))


class Selection:
    """Conditions on the users `u`, or, where that tells all, on the people `p` of an organization."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.name = table[-1]
        self.values: dict[str, Any] = {}
        self._parts: list[str] = []

    def add(self, part: str, **values: Any) -> None:
        """Add a condition, in which `{0}` stands for either of the two."""
        self._parts.append(part.format(self.name))
        self.values |= values

    def __str__(self) -> str:
        """Return FROM and WHERE."""
        return f"FROM {self.table} WHERE {' AND '.join(self._parts) or 'true'}"


async def users_page(
    cursor: AsyncCursor, filters: UserFilter, *, sort: str | None, limit: int, offset: int
) -> tuple[list[UserRow], int]:
    """Return a page, and the number of all. `sort` is a key of SORT_KEYS, with "-" before it for the reverse.

    None stands for the order of modification times if the filter has some, and of ids otherwise (ruling K77).
    """
    matched = None if filters.text is None else await few_matched(cursor, filters.text)
    page, count, values = statements(replace(filters, matched=matched), sort=sort, limit=limit, offset=offset)
    rows = cursor.connection.cursor(row_factory=class_row(UserRow))
    # planned for these values: a plan for any values reads all people where they select few
    await rows.execute(page, values, prepare=False)
    found = await rows.fetchall()
    if 0 < len(found) < limit or (not found and offset == 0):
        return found, offset + len(found)
    await cursor.execute(count, values, prepare=False)
    counted = await cursor.fetchone()
    assert counted is not None
    return found, int(counted[0])


async def few_matched(cursor: AsyncCursor, text: str) -> list[UUID] | None:
    """Return the users whom the text matches, None for more than a few.

    Those are found soon in any order. For a few, Postgres may walk through all users in the order of the list.
    """
    parameters = {"text": beginning(folded(text)), "limit": FEW + 1}
    await cursor.execute(f"{MATCHED} LIMIT %(limit)s", parameters, prepare=False)
    found = [row[0] for row in await cursor.fetchall()]
    return list(dict.fromkeys(found)) if len(found) <= FEW else None


def statements(filters: UserFilter, *, sort: str | None, limit: int, offset: int) -> tuple[str, str, dict[str, Any]]:
    """Return the SQL of a page and that which counts, with their parameters; only the page's own rows are fetched."""
    chosen = sort or "id"
    key, downwards = SORT_KEYS[chosen.removeprefix("-")], " DESC" * chosen.startswith("-")
    if sort is None and filters.modified:  # who follows the times wants them in their order
        key = "modified_at"
    selection = filters.selection()
    inner, outer = (
        ", ".join(f"{name}.{column}{downwards}" for column in (key, "user_id") if column)
        for name in (selection.name, "u")
    )
    ids = f"SELECT {selection.name}.user_id {selection} ORDER BY {inner} LIMIT %(limit)s OFFSET %(offset)s"
    page = f"SELECT {_COLUMNS} FROM ({ids}) page JOIN users u USING (user_id) ORDER BY {outer}"
    return page, f"SELECT count(*) {selection}", {**selection.values, "limit": limit, "offset": offset}


async def user(cursor: AsyncCursor, user_id: UUID) -> UserRow | None:
    """Return one user, None when there is none."""
    rows = cursor.connection.cursor(row_factory=class_row(UserRow))
    await rows.execute(f"SELECT {_COLUMNS} FROM users u WHERE u.user_id = %s", [user_id])
    return await rows.fetchone()


_COLUMNS = ", ".join(f"u.{column}" for column in UserRow._fields)


async def is_organization(cursor: AsyncCursor, party_id: UUID) -> bool:
    """Return whether there is an organization with this id."""
    await cursor.execute("SELECT FROM access_organizations WHERE organization_id = %s", [party_id])
    return await cursor.fetchone() is not None
