"""Sessions and whether they still count, from both logs. Every request asks here, in one statement."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row, tuple_row

from domain.core.principal import SessionKind
from domain.people.users import User
from domain.sessions.sessions import Session, SessionRevocation
from projections.core.event_rows import EventRows
from projections.core.fold import Fold, handler
from projections.core.projection import InlineProjection, Reader, Recorded, WriteCursor
from projections.core.rows import Row, insert, upsert


class SessionsProjection(EventRows, InlineProjection):
    """Follows the log of the sessions."""

    name = "sessions"
    version = 2
    events = (Session.Created,)
    id_column, time_column = "session_id", "opened_at"
    fields = (
        "user_id", "kind", "organization_id", "opened_at_position", "expires_at", "queue_delay", "impersonator",
        "opened_from", "authenticated_at",
    )  # fmt: skip


class SessionEndsFold(Fold):
    """The rows of sessions that were revoked, and of organizations that were left, the last time for each user."""

    def __init__(self) -> None:
        self.revoked: list[Row] = []
        self.left: dict[tuple[UUID, UUID], Row] = {}

    @handler
    def revoke(self, event: SessionRevocation.Created) -> None:
        self.revoked.append({"session_id": event.session_id})

    @handler
    def leave(self, event: User.LeftOrganization) -> None:
        left = {"user_id": event.originator_id, "organization_id": event.organization_id}
        self.left[event.originator_id, event.organization_id] = left | {"left_at_position": self.position}


class SessionEndsProjection(InlineProjection):
    """Follows the identity log."""

    name = "session_ends"
    tables = ("revoked_sessions", "left_organizations")
    events = SessionEndsFold.events

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        fold = await SessionEndsFold().add_all(events)
        await insert(cursor, "revoked_sessions", fold.revoked)
        await upsert(cursor, "left_organizations", ("user_id", "organization_id"), fold.left.values())


class SessionRow(NamedTuple):
    """A session and its user as they are now.

    `revoked` is also true when the user is not live, when all their sessions were ended after this one was opened,
    when they left the organization that it is in, or when the session that it was opened from no longer counts (ruling
    K130). It says nothing about `expires_at`.
    """

    user_id: UUID
    session_id: UUID
    organization_id: UUID | None
    kind: SessionKind
    expires_at: datetime
    revoked: bool
    staff: bool
    system: bool
    queue_delay: int
    impersonator: UUID | None
    opened_from: UUID | None
    authenticated_at: datetime
    position: int

    @property
    def live(self) -> bool:
        return not self.revoked and datetime.now(UTC) < self.expires_at


# An impersonated session ends no later than the one that it was opened from, so the times are not compared here. A user
# without an account may be the subject of an anonymous access. The array is in a SELECT so that its length does not
# enter the plan: see `projections.access.checks`.
ASKED_SESSIONS = """
SELECT {place}s.user_id, s.session_id, s.organization_id, s.kind, s.expires_at,
       NOT (u.live OR s.kind = 'anonymous' AND u.enabled AND NOT u.archived)
           OR (u.sessions_ended_at_position > s.opened_at_position AND s.session_id IS DISTINCT FROM u.kept_session_id)
           OR r.session_id IS NOT NULL
           OR coalesce(l.left_at_position > s.opened_at_position, false)
           OR s.opened_from IS NOT NULL AND NOT EXISTS (
               SELECT FROM sessions o JOIN access_users i USING (user_id)
               WHERE o.session_id = s.opened_from AND i.live AND i.staff
                 AND (i.sessions_ended_at_position <= o.opened_at_position OR o.session_id = i.kept_session_id)
                 AND NOT EXISTS (SELECT FROM revoked_sessions WHERE session_id = o.session_id)
                 AND NOT EXISTS (
                     SELECT FROM left_organizations g WHERE g.user_id = o.user_id
                       AND g.organization_id = o.organization_id AND g.left_at_position > o.opened_at_position)),
       u.staff, u.staff AND u.system_role, s.queue_delay, s.impersonator, s.opened_from, s.authenticated_at{position}
FROM unnest((SELECT %(sessions)b::uuid[])) AS asked(session_id)
JOIN sessions s USING (session_id)
JOIN access_users u USING (user_id)
LEFT JOIN revoked_sessions r USING (session_id)
LEFT JOIN left_organizations l ON l.user_id = s.user_id AND l.organization_id = s.organization_id
"""
"""The columns of `SessionRow`. Larger statements have their own before and behind them."""
_SESSIONS_OF = ASKED_SESSIONS.format(place="", position=", (SELECT position FROM log_head WHERE log = 'identity')")


async def session_of(cursor: AsyncCursor, session_id: UUID) -> SessionRow | None:
    """Return the session, also when it has ended; None when there never was one."""
    (found,) = await sessions_of(cursor, [session_id])
    return found


async def sessions_of(cursor: AsyncCursor, session_ids: Sequence[UUID]) -> list[SessionRow | None]:
    """Return, for each in order, what `session_of` does."""
    rows = cursor.connection.cursor(row_factory=tuple_row)
    await rows.execute(_SESSIONS_OF, {"sessions": list(dict.fromkeys(session_ids))}, prepare=True)
    found = {row.session_id: row for row in map(SessionRow._make, await rows.fetchall())}
    return [found.get(session_id) for session_id in session_ids]


class Bearer(NamedTuple):
    """`projected` is false for somebody whom the background projection has not seen yet."""

    projected: bool
    email: str | None
    roles: list[str]


BEARER_OF = """
SELECT u.user_id IS NOT NULL AS projected, u.email, coalesce(held.roles, '{}') AS roles
FROM (SELECT %(user)s::uuid AS user_id) asked
LEFT JOIN users u USING (user_id)
LEFT JOIN LATERAL (
    SELECT array_agg(r.name ORDER BY r.name) AS roles
    FROM roles r JOIN role_users h USING (role_id) JOIN access_organizations o USING (organization_id)
    WHERE r.organization_id = %(organization)s AND h.user_id = %(user)s AND o.active
) held ON true
"""


async def bearer_of(cursor: AsyncCursor, user_id: UUID, organization_id: UUID | None) -> Bearer:
    """Return what `authenticate` tells of a user: their roles are those of the organization, by name.

    In an inactive organization they have none: they count for nothing (ruling G14).
    """
    rows = cursor.connection.cursor(row_factory=class_row(Bearer))
    await rows.execute(BEARER_OF, {"user": user_id, "organization": organization_id}, prepare=True)
    found = await rows.fetchone()
    assert found is not None
    return found


class SessionReader:
    """Reads whether sessions are live. Implements `domain.sessions.commands.LiveSessions`."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def is_live(self, session_id: UUID) -> bool:
        row = await self._reader.ask(lambda cursor: session_of(cursor, session_id))
        return row is not None and row.live
