"""Impersonation requests (inline). Their state depends on the time, so it is not stored."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.people.login_names import email_key
from domain.sessions.impersonation_requests import ImpersonationRequest
from projections.core.event_rows import BeginningsAndEnds
from projections.core.fold import handler
from projections.core.projection import InlineProjection, Recorded, WriteCursor
from projections.core.rows import UNPAGED, fetched


class ImpersonationRequestRow(NamedTuple):
    """`email` is that of the user."""

    request_id: UUID
    user_id: UUID
    email: str | None
    created_by: UUID
    created_at: datetime
    used: bool


class ImpersonationRequestsFold(BeginningsAndEnds):
    @handler
    def create(self, event: ImpersonationRequest.Created) -> None:
        self.begun.append(
            {
                "request_id": event.originator_id,
                "user_id": event.user_id,
                "created_by": event.created_by,
                "created_at": event.timestamp,
                "used": False,
            }
        )

    @handler
    def use(self, event: ImpersonationRequest.Used) -> None:
        self.ended.append({"request_id": event.originator_id, "used": True})


class ImpersonationRequestsProjection(InlineProjection):
    name = "impersonation_requests"
    events = ImpersonationRequestsFold.events

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        fold = await ImpersonationRequestsFold().add_all(events)
        await fold.write(cursor, "impersonation_requests", ("request_id",))


class ImpersonationRequestFilter(NamedTuple):
    """All of them must match; None for any."""

    created_by: UUID | None = None
    user_email: str | None = None
    user_id: UUID | None = None


async def impersonation_requests(
    cursor: AsyncCursor, filters: ImpersonationRequestFilter
) -> list[ImpersonationRequestRow]:
    """Return the requests, the newest first."""
    given = [condition for value, condition in zip(filters, CONDITIONS, strict=True) if value is not None]
    email = None if filters.user_email is None else email_key(filters.user_email)
    rows = cursor.connection.cursor(row_factory=class_row(ImpersonationRequestRow))
    await rows.execute(" AND ".join([ALL, *given]) + ORDER, filters._replace(user_email=email)._asdict())
    return await fetched(rows)


async def impersonation_request(cursor: AsyncCursor, request_id: UUID) -> ImpersonationRequestRow | None:
    """Return one request, None when there is none of this id."""
    rows = cursor.connection.cursor(row_factory=class_row(ImpersonationRequestRow))
    await rows.execute(ALL + " AND r.request_id = %s", [request_id])
    return await rows.fetchone()


ALL = """
SELECT r.request_id, r.user_id, u.email, r.created_by, r.created_at, r.used
FROM impersonation_requests r LEFT JOIN users u USING (user_id)
WHERE true"""
CONDITIONS = (
    "r.created_by = %(created_by)s",
    "r.user_id IN (SELECT user_id FROM users WHERE email_key = %(user_email)s)",
    "r.user_id = %(user_id)s",
)
ORDER = f" ORDER BY r.created_at DESC, r.request_id LIMIT {UNPAGED}"
