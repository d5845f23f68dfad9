"""Rows of groups follow the log."""

from datetime import UTC, datetime
from uuid import uuid4

import time_machine

from domain.groups.groups import system_group_id
from projections.groups import lists as group_lists
from projections.groups.list_queries import GroupFilter
from tests.projections.groups import reading
from tests.projections.groups.test_groups import COMPUTED, ORDINARY, everything
from tests.support.world.read_models import read_models


async def test_rows_follow_the_log(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        parent, other = await world.group(organization, "parent"), await world.group(organization, "other")
        child = await world.group(organization, "child", under=parent, tags=["x"])
        one, two = await world.record(organization), await world.record(organization)
        await world.entry(organization, child, "individual", one, two)
        await world.catch_up()
        row = await reading.row(world, child)
        assert (row.parent_id, row.parent_name, row.individuals_count, row.tags) == (parent, "parent", 2, ["x"])
        assert (await reading.row(world, parent)).child_count == 1
        await world.remove_entry(child, "individual", one)
        await world.rename(child, "Renamed")
        await world.move(organization, child, other)
        await world.catch_up()
        row = await reading.row(world, child)
        assert (row.parent_id, row.name, row.individuals_count) == (other, "Renamed", 1)
        assert [(await reading.row(world, each)).child_count for each in (parent, other)] == [0, 1]
        await world.entry(organization, child, "individual", one)
        await world.deactivate(child)
        await world.catch_up()
        row = await reading.row(world, child)
        assert (row.active, row.individuals_count, row.parent_id) == (False, 2, other)
        assert (await reading.row(world, other)).child_count == 0


async def test_one_batch_gives_the_same_as_many(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        parent, other = await world.group(organization, "parent"), await world.group(organization, "other")
        child = await world.group(organization, "child", under=parent)
        record = await world.record(organization)
        await world.entry(organization, child, "individual", record)
        await world.remove_entry(child, "individual", record)
        await world.entry(organization, child, "individual", record)
        await world.move(organization, child, other)
        await world.move(organization, child, None)
        await world.move(organization, child, parent)
        await world.deactivate(child)
        await world.catch_up()
        row = await reading.row(world, child)
        assert (row.active, row.parent_id, row.individuals_count) == (False, parent, 1)
        assert [(await reading.row(world, each)).child_count for each in (parent, other)] == [0, 0]


async def test_computed_groups_count_their_individuals(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        regular, closing = await world.group(organization, "regular"), await world.group(organization, "closing")
        placed, loose = await world.patient(organization), await world.record(organization)
        await world.entry(organization, regular, "individual", placed)
        await world.entry(organization, closing, "individual", loose)
        await world.catch_up()
        everyone, unassigned = [system_group_id(organization, kind) for kind in COMPUTED]
        assert [(await reading.row(world, each)).individuals_count for each in (everyone, unassigned)] == [2, 0]
        await world.deactivate(closing)
        assert [(await reading.row(world, each)).individuals_count for each in (everyone, unassigned)] == [2, 1]


async def test_some_events_change_the_time_of_modification(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        parent, child = await world.group(organization, "parent"), await world.group(organization, "child")
        user = await world.provider(organization)

        async def times() -> tuple[datetime, datetime]:
            await world.catch_up()
            return (await reading.row(world, parent)).modified_at, (await reading.row(world, child)).modified_at

        before = await times()
        await world.move(organization, child, parent)
        moved = await times()
        assert moved[0] == before[0]
        assert moved[1] > before[1]
        await world.entry(organization, child, "member", user)
        seated = await times()
        assert seated[1] > moved[1]
        await world.deactivate(child)
        assert (await times())[1] > seated[1]
        assert (await times())[0] == before[0]


async def test_a_later_change_never_has_an_earlier_time(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC), tick=False):
            ahead = await world.group(organization, "ahead")
        await world.catch_up()
        behind = [await world.group(organization, "behind") for _ in range(2)]
        await world.catch_up()
        seen = (await reading.row(world, ahead)).modified_at
        bound = [(">", seen)]
        assert await reading.listed(world, admin, types=ORDINARY, modified=bound) == behind
        assert await reading.listed(world, admin, types=ORDINARY, modified=[(">=", seen)]) == [ahead, *behind]
        assert await reading.listed(world, admin, types=ORDINARY, modified=[(">=", seen), ("<=", seen)]) == [ahead]


async def test_a_list_without_whole_organizations_costs_no_error(database_url: str) -> None:
    async with read_models(database_url) as world:
        await world.catch_up()
        rows, total = await group_lists.page(
            world.cursor, await world.viewer(uuid4()), GroupFilter(include_inactive=True), limit=5, offset=5
        )
        assert (reading.named(rows), total) == ([], 0)


async def test_built_anew_in_one_batch_the_rows_are_the_same(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        user, record = await world.provider(organization), await world.record(organization)
        parent, child = await world.group(organization, "parent"), await world.group(organization, "child")
        await world.catch_up()
        await world.entry(organization, child, "individual", record)
        await world.entry(organization, child, "leader", user)
        await world.catch_up()
        await world.move(organization, child, parent)
        await world.catch_up()
        await world.deactivate(child)
        await world.catch_up()
        before = await everything(world)
        await world.forget()
        await world.catch_up()
        assert await everything(world) == before
        assert all(before.values())
