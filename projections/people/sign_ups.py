"""Who signed up with which organization code (inline)."""

from collections.abc import Sequence
from dataclasses import dataclass
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
from projections.people.user_lists import UserRow


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
    """Which people who signed up with a code are listed; archived ones only if their state is asked for (K106)."""

    code_id: UUID
    email: str | None = None
    email_verified: bool | None = None
    state: str | None = None
    text: str | None = None
    matches_none: bool = False

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
        if self.text is not None:
            found.append(_TEXT)
        return " AND ".join(found)

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the values of the conditions."""
        return vars(self) | {
            "email": None if self.email is None else email_key(self.email),
            "text": None if self.text is None else beginning(folded(self.text)),
        }


async def page(cursor: AsyncCursor, filters: SignUpFilter, *, limit: int, offset: int) -> tuple[list[UserRow], int]:
    """Return a page of the people who signed up, the newest sign-up first, and how many there are."""
    source = f"FROM sign_ups s JOIN users u USING (user_id) WHERE {filters.where}"
    parameters = filters.parameters | {"limit": limit, "offset": offset}
    await cursor.execute(f"SELECT count(*) {source}", parameters)
    total = await cursor.fetchone()
    assert total is not None
    rows = cursor.connection.cursor(row_factory=class_row(UserRow))
    order = "ORDER BY s.signed_up_at DESC, s.user_id LIMIT %(limit)s OFFSET %(offset)s"
    await rows.execute(f"SELECT {_COLUMNS} {source} {order}", parameters)
    return await rows.fetchall(), int(total[0])


_COLUMNS = ", ".join(f"u.{column}" for column in UserRow._fields)
_COMPARED = ("u.email_text", "u.first_name_key", "u.last_name_key", "u.first_name_key || ' ' || u.last_name_key")
_TEXT = f"({' OR '.join(f'{expression} LIKE %(text)s' for expression in _COMPARED)})"
"""The beginning of a name, of both names, or of the e-mail address (ruling K76)."""
