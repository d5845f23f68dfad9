"""Which services users are replicated to (background)."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.people.user_replications import UserReplication
from projections.core.event_rows import EventRows


class UserReplicationRow(NamedTuple):
    replication_id: UUID
    user_id: UUID
    service: str
    created_at: datetime


class UserReplicationsProjection(EventRows):
    name = "user_replications"
    events = (UserReplication.Created,)
    id_column, time_column = "replication_id", "created_at"
    fields = ("user_id", "service")


async def user_replications(
    cursor: AsyncCursor, user_id: UUID, *, limit: int, offset: int
) -> tuple[list[UserReplicationRow], int]:
    """Return a page of the user's marks, oldest first, and how many there are."""
    await cursor.execute("SELECT count(*) FROM user_replications WHERE user_id = %s", [user_id])
    total = await cursor.fetchone()
    assert total is not None
    rows = cursor.connection.cursor(row_factory=class_row(UserReplicationRow))
    await rows.execute(
        "SELECT replication_id, user_id, service, created_at FROM user_replications WHERE user_id = %s"
        " ORDER BY created_at, replication_id LIMIT %s OFFSET %s",
        [user_id, limit, offset],
    )
    return await rows.fetchall(), int(total[0])
