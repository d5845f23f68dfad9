"""Who signed up with which organization code (inline)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.organizations.enrollment_codes import organization_code_id
from domain.people.login_names import email_key, folded
from domain.people.sign_ups import SignUp
from projections.core.patterns import beginning
from projections.core.projection import InlineProjection, Recorded, WriteCursor
from projections.core.rows import insert
from projections.people.user_lists import TEXTS, UserRow, few_matched


class SignUpsProjection(InlineProjection):
    """A row for each sign-up, also with codes that are deleted by now."""

    name = "sign_ups"
    events = (SignUp.Created,)

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await insert(cursor, self.name, (self._row(event) for _, event in events))

    def _row(self, event: Any) -> dict[str, Any]:
        return {
            "user_id": event.user_id,
            "code_id": organization_code_id(event.code),
            "signed_up_at": event.timestamp,
        }


@dataclass(frozen=True)
class SignUpFilter:
    """Which people who signed up with a code are listed; archived ones only if their state is asked for (K106).

    `matched` are the users whom the text matches, if these are known.
    """

    code_id: UUID
    email: str | None = None
    email_verified: bool | None = None
    state: str | None = None
    text: str | None = None
    matches_none: bool = False
    matched: Sequence[UUID] | None = None

    @property
    def where(self) -> str:
        """Return the conditions on the sign-up `s` and the user `u`."""
        found = ["s.code_id = %(code_id)s"]
        if self.matches_none:
            found.append("false")
        if self.email is not None:
            found.append("u.email_key = %(email)s")
        if self.email_verified is not None:
            found.append("u.email_verified = %(email_verified)s")
        found.append("NOT u.archived" if self.state is None else "u.state = %(state)s")
        if self.matched is not None:
            found.append("s.user_id = ANY(%(matched)s)")
        elif self.text is not None:
            found.append(_TEXT)
        return " AND ".join(found)

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the values of the conditions."""
        return vars(self) | {
            "email": None if self.email is None else email_key(self.email),
            "text": None if self.text is None else beginning(folded(self.text)),
            "matched": None if self.matched is None else list(self.matched),
        }


async def page(cursor: AsyncCursor, filters: SignUpFilter, *, limit: int, offset: int) -> tuple[list[UserRow], int]:
    """Return a page of the people who signed up, the newest sign-up first, and how many there are."""
    matched = None if filters.text is None else await few_matched(cursor, filters.text)
    filters = replace(filters, matched=matched)
    shown, count = statements(filters)
    # planned for these values: how many people signed up with the code decides which plan is good
    await cursor.execute(count, filters.parameters, prepare=False)
    total = await cursor.fetchone()
    assert total is not None
    rows = cursor.connection.cursor(row_factory=class_row(UserRow))
    await rows.execute(shown, filters.parameters | {"limit": limit, "offset": offset}, prepare=False)
    return await rows.fetchall(), int(total[0])


def statements(filters: SignUpFilter) -> tuple[str, str]:
    """Return the SQL of a page and that which counts; only the page's own rows are fetched."""
    source = f"FROM sign_ups s JOIN users u USING (user_id) WHERE {filters.where}"
    ids = f"SELECT s.user_id, s.signed_up_at {source} {_ORDER} LIMIT %(limit)s OFFSET %(offset)s"
    return f"SELECT {_COLUMNS} FROM ({ids}) s JOIN users u USING (user_id) {_ORDER}", f"SELECT count(*) {source}"


_ORDER = "ORDER BY s.signed_up_at DESC, s.user_id"
_COLUMNS = ", ".join(f"u.{column}" for column in UserRow._fields)
_TEXT = f"({' OR '.join(f'u.{column} LIKE %(text)s' for column in TEXTS)})"
"""The beginning of a name, of both names, or of the e-mail address (ruling K76)."""
