"""Everything somebody may sign in with, once only: the unique index decides, in the append's own transaction."""

from collections.abc import Iterable, Sequence
from typing import ClassVar
from uuid import UUID

from psycopg import AsyncCursor

from domain.errors import DomainError
from domain.login_names import normal_login
from domain.personal import Personal, revealed
from domain.ports import Lookup
from domain.users import IdentifierTaken, User
from projections.projection import Event, Mode, Recorded
from projections.rows import write

KIND = "login"
"""Of the keyed hashes: one namespace for user names, addresses and numbers."""
FLAGS = ("email", "phone", "username")


class IdentifiersProjection:
    """Only hashes are kept. Service accounts have none: they do not sign in."""

    name: ClassVar[str] = "identifiers"
    version: ClassVar[int] = 1
    mode: ClassVar[Mode] = Mode.INLINE
    tables: ClassVar[tuple[str, ...]] = ("user_identifiers",)
    events: ClassVar[tuple[type[Event], ...] | None] = (User.Created,)
    taken: ClassVar[dict[str, type[DomainError]]] = {"user_identifiers_pkey": IdentifierTaken}

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        await write(
            cursor,
            """
            INSERT INTO user_identifiers (hash, user_id, email, phone, username)
            SELECT * FROM unnest(%s::bytea[], %s::uuid[], %s::boolean[], %s::boolean[], %s::boolean[])
            """,
            (row for recorded in events for row in self._rows(recorded.event)),
        )

    def _rows(self, event: Event) -> Iterable[tuple[bytes, UUID, bool, bool, bool]]:
        if not isinstance(event, User.Created) or event.kind == "service":
            return
        meanings: dict[str, set[str]] = {}
        for flag, personal in zip(FLAGS, (event.email, event.phone, event.username), strict=True):
            if (value := _normal(personal)) is not None:
                meanings.setdefault(value, set()).add(flag)
        for value, flags in meanings.items():
            email, phone, username = (flag in flags for flag in FLAGS)
            yield self._lookup(KIND, value), event.originator_id, email, phone, username


def _normal(personal: Personal | None) -> str | None:
    value = revealed(personal)
    return None if value is None else normal_login(value)


async def users_by_email(cursor: AsyncCursor, lookup: Lookup, emails: Iterable[str]) -> dict[str, UUID]:
    """User ids by the address as given."""
    hashes = {email: lookup(KIND, normal_login(email)) for email in emails}
    await cursor.execute(
        "SELECT hash, user_id FROM user_identifiers WHERE hash = ANY(%s) AND email", [list(set(hashes.values()))]
    )
    found = {bytes(hashed): user_id for hashed, user_id in await cursor.fetchall()}
    return {email: found[hashed] for email, hashed in hashes.items() if hashed in found}


async def user_by_login(cursor: AsyncCursor, lookup: Lookup, login: str) -> UUID | None:
    """The user who signs in with this."""
    await cursor.execute("SELECT user_id FROM user_identifiers WHERE hash = %s", [lookup(KIND, normal_login(login))])
    row = await cursor.fetchone()
    return None if row is None else row[0]
