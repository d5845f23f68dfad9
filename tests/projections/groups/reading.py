"""What lists of groups show."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from projections.groups import lists as group_lists
from projections.groups.list_queries import GroupFilter
from projections.groups.lists import GroupRow
from tests.support.world.read_models import ReadModels


async def listed(world: ReadModels, user_id: UUID, *, limit: int = 100, offset: int = 0, **wanted: Any) -> list[UUID]:
    """Return the ids that a list shows; its total is that of the whole list."""
    rows, total = await group_lists.page(
        world.cursor, await world.viewer(user_id), GroupFilter(**wanted), limit=limit, offset=offset
    )
    assert total == len(rows) or len(rows) == limit or offset
    return [row.group_id for row in rows]


async def total(world: ReadModels, user_id: UUID, **wanted: Any) -> int:
    _, total = await group_lists.page(
        world.cursor, await world.viewer(user_id), GroupFilter(**wanted), limit=1, offset=0
    )
    return total


async def row(world: ReadModels, group_id: UUID) -> GroupRow:
    found = await group_lists.known(world.cursor, group_id)
    assert found is not None
    return found


def named(rows: Iterable[GroupRow]) -> list[str]:
    return [row.name for row in rows]
