"""Who came into and went out of which roster, by whom and when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID, uuid5

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.errors import DomainError
from domain.recorded import Event, Recorded
from domain.rosters import Seat
from projections.group_viewers import Viewer
from projections.projection import Mode


class GroupLogRow(NamedTuple):
    """`individual_id` is the person's primary individual, `user_id` only set for leaders and members."""

    log_id: UUID
    group_id: UUID
    event: str
    subject: str
    individual_id: UUID | None
    user_id: UUID | None
    created_by: UUID | None
    created_at: datetime


class GroupLogsProjection:
    """A row per event of a seat; its id follows from the event, so that a rebuild gives the same."""

    name: ClassVar[str] = "group_logs"
    version: ClassVar[int] = 1
    mode: ClassVar[Mode] = Mode.BACKGROUND
    tables: ClassVar[tuple[str, ...]] = ("group_logs",)
    taken: ClassVar[dict[str, type[DomainError]]] = {}
    events: ClassVar[tuple[type[Event], ...] | None] = (Seat.Created, Seat.TakenAgain, Seat.Left)

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """Every effective change of a roster is one event, and one row."""
        columns = [list(column) for column in zip(*map(_row, events), strict=True)]
        await cursor.execute(_INSERT, columns)


async def page(
    cursor: AsyncCursor,
    viewer: Viewer,
    *,
    group_id: UUID | None,
    individual_ids: Sequence[UUID],
    organization_id: UUID | None,
    limit: int,
    offset: int,
) -> tuple[list[GroupLogRow], int]:
    """The newest rows first, and how many there are; only of groups that the viewer reads.

    A row must be about all of `individual_ids`; they are also found by the leaders and members whose own they are.
    Those of individuals are left out where the viewer reads the group only as staff.
    """
    conditions = [_readable(viewer, few=group_id is not None or bool(individual_ids))]
    parameters: dict[str, Any] = {"group": group_id, "organization": organization_id, **viewer.parameters()}
    if group_id is not None:
        conditions.append("l.group_id = %(group)s")
    if organization_id is not None:
        conditions.append("l.organization_id = %(organization)s")
    for number, individual_id in enumerate(individual_ids):
        parameters[f"individual{number}"] = individual_id
        conditions.append(_ABOUT.format(individual=f"%(individual{number})s"))
    where = " AND ".join(conditions)
    await cursor.execute(_COUNT.format(where=where), parameters)
    counted = await cursor.fetchone()
    rows = cursor.connection.cursor(row_factory=class_row(GroupLogRow))
    await rows.execute(_PAGE.format(where=where), {**parameters, "limit": limit, "offset": offset})
    return await rows.fetchall(), counted[0] if counted else 0


def _readable(viewer: Viewer, *, few: bool) -> str:
    people = viewer.reads_people("l", few=few)
    if viewer.unlimited or not viewer.staff:
        return people
    return f"({people} OR l.subject <> 'individual' AND {viewer.reads_as_staff('l')})"


def _row(recorded: Recorded) -> tuple[Any, ...]:
    event: Any = recorded.event
    happened = "remove" if isinstance(event, Seat.Left) else "add"
    log_id = uuid5(event.originator_id, str(event.originator_version))
    place = (log_id, recorded.position, event.group_id, event.organization_id)
    return (*place, happened, event.kind, event.subject_id, event.by.actor, event.timestamp)


_INSERT = """
INSERT INTO group_logs
    (log_id, position, group_id, organization_id, event, subject, subject_id, created_by, created_at)
SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::uuid[], %s::uuid[],
                     %s::timestamptz[])
"""
_ABOUT = """l.subject_id = ANY(ARRAY(
    SELECT user_id FROM users WHERE individual_id = {individual} UNION ALL SELECT {individual}))"""
_COUNT = "SELECT count(*) FROM group_logs l WHERE {where}"
_PAGE = """
SELECT l.log_id, l.group_id, l.event, l.subject,
       CASE l.subject WHEN 'individual' THEN l.subject_id ELSE u.individual_id END AS individual_id,
       CASE l.subject WHEN 'individual' THEN NULL ELSE l.subject_id END AS user_id, l.created_by, l.created_at
FROM (SELECT * FROM group_logs l WHERE {where} ORDER BY l.position DESC LIMIT %(limit)s OFFSET %(offset)s) l
LEFT JOIN users u ON l.subject <> 'individual' AND u.user_id = l.subject_id
ORDER BY l.position DESC
"""
