"""What lists of groups, rosters and logs cost in a large organization: blocks touched, not milliseconds."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from domain.groups.groups import system_group_id
from projections.core.visibility import Viewer
from projections.groups import lists as group_lists
from projections.groups import logs as group_logs
from projections.groups import rosters
from projections.groups.list_queries import GroupFilter
from projections.groups.rosters import RosterSource
from tests.support.world.read_models import ReadModels, read_models

MANY = 20_000
ORDINARY = ("regular", "provider_only")
PAGE = {"limit": 20, "offset": 40}
A_PAGE, AN_INDEX = 150, 900
"""Blocks: of a page of 20 with what belongs to its rows; of counting in an index. The tables have many thousands."""

FILL = (
    """INSERT INTO groups (group_id, organization_id, name, name_key, node_type, type, tags, modified_at)
       SELECT gen_random_uuid(), %(o)s, n, n, 'group', 'regular', ARRAY['some', 'tags', n], now()
       FROM (SELECT 'group number ' || n AS n FROM generate_series(1, %(many)s) n) numbered""",
    """UPDATE group_totals SET total = %(many)s
       WHERE organization_id = %(o)s AND type = 'regular' AND node_type = 'group'""",
    """INSERT INTO access_groups (group_id, organization_id, type, touched_at, moved_at)
       SELECT group_id, organization_id, type, now(), now() FROM groups ON CONFLICT DO NOTHING""",
    "INSERT INTO group_closure SELECT group_id, group_id FROM access_groups ON CONFLICT DO NOTHING",
    "INSERT INTO access_individuals SELECT gen_random_uuid(), %(o)s, now() FROM generate_series(1, %(many)s)",
    """INSERT INTO individual_organizations (individual_id, organization_id, owned, shared)
       SELECT individual_id, %(o)s, true, false FROM access_individuals WHERE owner_id = %(o)s
       ON CONFLICT DO NOTHING""",
    """INSERT INTO group_individuals SELECT individual_id, %(roster)s, %(o)s FROM individual_organizations
       WHERE individual_id NOT IN (SELECT individual_id FROM unplaced_individuals) ON CONFLICT DO NOTHING""",
    """INSERT INTO group_logs
       SELECT gen_random_uuid(), 1000 + row_number() OVER (), group_id, organization_id, 'add', 'individual',
              individual_id, NULL, now()
       FROM group_individuals""",
    """UPDATE group_log_totals SET total = %(many)s WHERE group_id IN (%(roster)s, %(o)s) AND subject = 'individual'""",
    "VACUUM (ANALYZE, PARALLEL 0)",
)


async def touched(world: ReadModels) -> int:
    """How many blocks of tables and indexes have been touched so far."""
    await world.cursor.execute("SELECT pg_stat_force_next_flush()")
    await world.cursor.execute(
        "SELECT sum(heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit + idx_blks_read, 0))"
        " FROM pg_statio_user_tables"
    )
    row = await world.cursor.fetchone()
    assert row is not None
    return int(row[0])


async def blocks(world: ReadModels, asked: Awaitable[Any]) -> int:
    """How many of them it touches."""
    before = await touched(world)
    await asked
    return await touched(world) - before


class Large:
    """An organization with so many groups, individuals and rows of a log, and what stands out among them."""

    def __init__(self, world: ReadModels, organization: UUID) -> None:
        self._world = world
        self._organization = organization
        self.costs: dict[str, int] = {}

    async def list(self, who: str, viewer: Viewer, **wanted: Any) -> None:
        asked = GroupFilter(**{"types": ORDINARY, "organization_id": self._organization, **wanted})
        page = group_lists.page(self._world.cursor, viewer, asked, **PAGE)
        self.costs[f"{who}: {wanted}"] = await blocks(self._world, page)

    async def log(self, name: str, viewer: Viewer, group: UUID | None = None, *individuals: UUID) -> None:
        whole = None if group or individuals else self._organization
        page = group_logs.page(
            self._world.cursor, viewer, group_id=group, individual_ids=individuals, organization_id=whole, **PAGE
        )
        self.costs[name] = await blocks(self._world, page)

    async def roster(self, name: str, group: UUID, kind: str) -> None:
        page = rosters.individuals_page(self._world.cursor, RosterSource(group, self._organization, kind), **PAGE)
        self.costs[name] = await blocks(self._world, page)

    def dearer_than(self, most: int) -> dict[str, int]:
        dear = {name: cost for name, cost in self.costs.items() if cost > most}
        self.costs.clear()
        return dear


async def test_pages_and_totals_of_large_organizations_read_few_blocks(
    database_url: str,
) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        admin, leader, staff = (
            await world.admin(organization),
            await world.provider(organization),
            await world.staff(),
        )
        division = await world.group(organization, "division", node_type="division")
        full = await world.group(organization, "full", under=division)
        closed = await world.group(organization, "closed")
        nurses = await world.group(organization, "nurses", type="provider_only")
        placed, loose, left = [await world.record(organization) for _ in range(3)]
        await world.entry(organization, full, "individual", placed)
        await world.entry(organization, full, "leader", leader)
        await world.entry(organization, closed, "individual", left)
        await world.deactivate(closed)
        await world.catch_up()
        with psycopg.connect(database_url, autocommit=True) as owner:
            for statement in FILL:
                owner.execute(statement.encode(), {"o": organization, "roster": full, "many": MANY})
        governing = {"admin": await world.viewer(admin), "system": await world.viewer(await world.system())}
        large = Large(world, organization)
        for name, viewer in {**governing, "leader": await world.viewer(leader)}.items():
            await large.list(name, viewer)
            await large.list(name, viewer, include_inactive=True)
            await large.list(name, viewer, types=("provider_only",))
            await large.list(name, viewer, types=("all_participants", "unassigned"))
            await large.list(name, viewer, node_type="division")
            await large.list(name, viewer, tree_node_type="non-leaf")
            await large.list(name, viewer, ids=[full, division, nurses])
            await large.list(name, viewer, parent_group_id=division)
            await large.list(name, viewer, leader_id=leader)
            await large.list(name, viewer, individual_id=placed)
            await large.list(name, viewer, name="group number 7")
            await large.list(name, viewer, tags=["group number 7"])
            await large.log(f"{name}: a group's log", viewer, full)
            await large.log(f"{name}: an individual's log", viewer, None, placed)
        for name, viewer in governing.items():
            await large.log(f"{name}: the organization's log", viewer)
        await large.log("staff: a group's log", await world.viewer(staff), full)
        await large.roster("everyone", system_group_id(organization, "all_participants"), "all_participants")
        await large.roster("unassigned", system_group_id(organization, "unassigned"), "unassigned")
        assert large.dearer_than(A_PAGE) == {}
        for name, viewer in governing.items():
            await large.list(name, viewer, tree_node_type="leaf")
            await large.list(name, viewer, exclude_individual_id=placed)
            await large.list(name, viewer, eligible_individual_id=loose)
            await large.list(name, viewer, text="number 77")
            await large.list(name, viewer, modified=[(">", datetime(2020, 1, 1, tzinfo=UTC))])
        await large.roster("a full roster", full, "regular")
        assert large.dearer_than(AN_INDEX) == {}
