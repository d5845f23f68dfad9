"""The holders of roles, numbered (inline: a grant is listed as soon as it is answered)."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.access.roles import Role
from projections.core.fold import Fold, handler
from projections.core.projection import InlineProjection, Recorded, WriteCursor
from projections.core.rows import Row, replace


class RoleUserRow(NamedTuple):
    number: int
    role_id: UUID
    role_name: str
    user_id: UUID
    email: str | None


class HoldersFold(Fold):
    """The last word on each holder of a role: the row with the number of their grant, or None."""

    def __init__(self) -> None:
        self.holders: dict[tuple[UUID, UUID], Row | None] = {}

    @handler
    def grant(self, event: Role.Granted) -> None:
        row = {"role_id": event.originator_id, "user_id": event.user_id, "number": self.position}
        self.holders[event.originator_id, event.user_id] = row

    @handler
    def revoke(self, event: Role.Revoked) -> None:
        self.holders[event.originator_id, event.user_id] = None


class RoleUsersProjection(InlineProjection):
    """A grant's position is its number: unique, and another one when the role is given again (ruling I9)."""

    name = "role_users"
    events = HoldersFold.events

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        fold = await HoldersFold().add_all(events)
        await replace(cursor, "role_users", ("role_id", "user_id"), fold.holders)


async def role_users(cursor: AsyncCursor, role_id: UUID, *, limit: int, offset: int) -> tuple[list[RoleUserRow], int]:
    """Return a page of the role's holders by user id, and their number. E-mail addresses come from the users list."""
    await cursor.execute("SELECT count(*) FROM role_users WHERE role_id = %s", [role_id])
    total = await cursor.fetchone()
    assert total is not None
    rows = cursor.connection.cursor(row_factory=class_row(RoleUserRow))
    await rows.execute(_ROWS.format(of=_PAGE), {"role": role_id, "limit": limit, "offset": offset})
    return await rows.fetchall(), int(total[0])


async def role_user(cursor: AsyncCursor, role_id: UUID, user_id: UUID) -> RoleUserRow | None:
    """Return one holder, None when the user does not hold the role."""
    rows = cursor.connection.cursor(row_factory=class_row(RoleUserRow))
    await rows.execute(_ROWS.format(of=_ONE), {"role": role_id, "user": user_id})
    return await rows.fetchone()


_ONE = "SELECT role_id, user_id FROM role_users WHERE role_id = %(role)s AND user_id = %(user)s"
# The page first: nothing is looked up for the rows before it.
_PAGE = """
SELECT role_id, user_id FROM role_users WHERE role_id = %(role)s
ORDER BY user_id LIMIT %(limit)s OFFSET %(offset)s
"""
_ROWS = """
SELECT h.number, role_id, r.name AS role_name, user_id, u.email
FROM ({of}) page JOIN role_users h USING (role_id, user_id) JOIN access_roles r USING (role_id)
LEFT JOIN users u USING (user_id) ORDER BY user_id
"""
