"""What lists and details show of groups, and to whom."""

from itertools import chain
from typing import Any
from uuid import UUID, uuid4

from domain.core.ports import AccessQuery
from domain.groups.groups import GroupType, system_group_id
from projections.access.checks import decide
from projections.core.visibility import groups_with_people
from projections.groups import lists as group_lists
from projections.groups.list_queries import GroupFilter
from tests.projections.groups import reading
from tests.support.world.read_models import ReadModels, read_models

ORDINARY = ("regular", "provider_only")
COMPUTED: tuple[GroupType, ...] = ("all_participants", "unassigned")


async def test_groups_are_listed_by_name_without_case_and_then_by_id(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        for name in ("lung", "Heart", "heart", "Éclair", "Bone"):
            await world.group(organization, name)
        await world.catch_up()
        rows, total = await group_lists.page(
            world.cursor, await world.viewer(admin), GroupFilter(types=ORDINARY), limit=10, offset=0
        )
        assert [row.name.lower() for row in rows] == ["bone", "heart", "heart", "lung", "éclair"]
        assert rows[1].group_id < rows[2].group_id
        assert total == 5
        pages = [await reading.listed(world, admin, types=ORDINARY, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
        assert list(chain.from_iterable(pages)) == [row.group_id for row in rows]


async def test_each_viewer_sees_what_a_check_would_allow(database_url: str) -> None:
    async with read_models(database_url) as world:
        north, south, opened = [await world.organization(opened=yes) for yes in (False, False, True)]
        division = await world.group(north, "division", node_type="division")
        under, beside = await world.group(north, "under", under=division), await world.group(north, "beside")
        other, free = await world.group(south, "other"), await world.group(opened, "free")
        system = {system_group_id(each, kind) for each in (north, south, opened) for kind in COMPUTED}
        leader, member = await world.provider(north), await world.provider(north)
        await world.entry(north, division, "leader", leader)
        await world.entry(north, under, "member", member)
        sees = {
            await world.admin(north): {division, under, beside} | {system_group_id(north, kind) for kind in COMPUTED},
            leader: {division, under},
            member: {under},
            await world.provider(north): set(),
            await world.provider(opened): {free} | {system_group_id(opened, kind) for kind in COMPUTED},
            await world.provider(north, opened): {free} | {system_group_id(opened, kind) for kind in COMPUTED},
            await world.staff(): {division, under, beside, other, free},
            await world.system(): {division, under, beside, other, free} | system,
            uuid4(): set(),
        }
        await world.catch_up()
        everything = [division, under, beside, other, free, *system]
        asked = [AccessQuery("group", each, "read") for each in everything]
        for viewer, groups in sees.items():
            assert set(await reading.listed(world, viewer)) == groups
            assert {each for each in everything if await found(world, viewer, each)} == groups
            allowed = await decide(world.cursor, viewer, asked)
            assert {each for each, yes in zip(everything, allowed, strict=True) if yes} == groups
            elsewhere = {other} | {system_group_id(south, kind) for kind in COMPUTED}
            assert set(await reading.listed(world, viewer, organization_id=south)) == groups & elsewhere


async def found(world: ReadModels, viewer: UUID, group_id: UUID) -> bool:
    return await group_lists.detail(world.cursor, await world.viewer(viewer), group_id) is not None


async def test_staff_that_also_leads_and_administers_sees_each_group_once(database_url: str) -> None:
    async with read_models(database_url) as world:
        home, away = await world.organization(), await world.organization()
        group = await world.group(away, "away")
        staff = await world.staff(home, away)
        await world.entry(away, group, "leader", staff)
        mine = await world.group(home, "home")
        await world.catch_up()
        assert await reading.listed(world, staff) == [group, mine]
        assert await reading.listed(world, staff, with_people=True) == [group]
        assert not (await world.viewer(staff)).only_staff
        assert (await world.viewer(await world.staff(home))).only_staff
        assert await groups_with_people(world.cursor, staff, [group, mine]) == {group}


async def test_inactive_groups_are_shown_to_administrators_and_staff(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        group = await world.group(organization)
        leader = await world.provider(organization)
        await world.entry(organization, group, "leader", leader)
        await world.deactivate(group)
        await world.catch_up()
        see = [
            await world.admin(organization),
            await world.staff(),
            await world.system(),
        ]
        for viewer in (*see, leader):
            assert await reading.listed(world, viewer, types=ORDINARY) == []
            shown = await reading.listed(world, viewer, types=ORDINARY, include_inactive=True)
            assert shown == ([group] if viewer in see else [])


async def test_an_organization_open_to_its_providers_hides_inactive_groups_from_them(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization(opened=True)
        group = await world.group(organization)
        await world.deactivate(group)
        await world.catch_up()
        assert (
            await reading.listed(world, await world.provider(organization), types=ORDINARY, include_inactive=True) == []
        )


async def test_a_group_just_deactivated_is_hidden_before_its_row_follows(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization(opened=True)
        group = await world.group(organization)
        viewers = [
            await world.admin(organization),
            await world.provider(organization),
            await world.staff(),
            await world.system(),
        ]
        await world.catch_up()
        for viewer in viewers:
            assert await found(world, viewer, group)
        await world.deactivate(group)
        for viewer in viewers:
            assert not await found(world, viewer, group)
            assert await reading.listed(world, viewer, ids=[group]) == []
        assert await reading.listed(world, viewers[0], ids=[group], include_inactive=True) == [group]


async def test_every_filter_narrows_the_list(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        admin, leader = await world.admin(organization), await world.provider(organization)
        division = await world.group(organization, "100% Care_", node_type="division", tags=["a", 'q"\\,{}'])
        heart = await world.group(organization, "Heart", under=division, tags=["b"])
        nurses = await world.group(organization, "Nurses", type="provider_only")
        patient = await world.patient(organization)
        await world.entry(organization, heart, "leader", leader)
        await world.entry(organization, heart, "individual", patient)
        await world.catch_up()
        everyone, unassigned = [system_group_id(organization, kind) for kind in COMPUTED]
        expected: list[tuple[dict[str, Any], set[UUID]]] = [
            ({"types": ["provider_only"]}, {nurses}),
            ({"types": COMPUTED}, {everyone, unassigned}),
            ({"ids": [heart, everyone, uuid4()]}, {heart, everyone}),
            ({"ids": [heart, everyone], "types": ORDINARY}, {heart}),
            ({"exclude_ids": [heart, everyone]}, {division, nurses, unassigned}),
            ({"name": "hEART"}, {heart}),
            ({"name": "hear"}, set()),
            ({"text": "ART", "types": ORDINARY}, {heart}),
            ({"text": "0% c"}, {division}),
            ({"text": "%"}, {division}),
            ({"text": "_"}, {division}),
            ({"node_type": "division"}, {division}),
            ({"tree_node_type": "non-leaf"}, {division}),
            ({"tree_node_type": "leaf", "types": ORDINARY}, {heart, nurses}),
            ({"tags": ["a", "b"]}, {division, heart}),
            ({"tags": ['q"\\,{}']}, {division}),
            ({"parent_group_id": division}, {heart}),
            ({"leader_id": leader}, {heart}),
            ({"individual_id": patient}, {heart, everyone}),
            ({"exclude_individual_id": patient}, {division, nurses, unassigned}),
            ({"leader_id": leader, "parent_group_id": division}, {heart}),
            ({"leader_id": leader, "name": "Nurses"}, set()),
            ({"organization_id": uuid4()}, set()),
        ]
        for wanted, groups in expected:
            assert set(await reading.listed(world, admin, **wanted)) == groups, wanted
            assert await reading.total(world, admin, **wanted) == len(groups), wanted


async def test_eligibility_of_an_individual_agrees_with_eligible_members(database_url: str) -> None:
    async with read_models(database_url) as world:
        organization = await world.organization()
        admin, leader = await world.admin(organization), await world.provider(organization)
        division = await world.group(organization, "division", node_type="division")
        there, empty = (
            await world.group(organization, "there", under=division),
            await world.group(organization, "empty"),
        )
        sister, lost = (
            await world.group(organization, "sister", under=division),
            await world.group(organization, "l", under=empty),
        )
        await world.group(organization, "providers", type="provider_only")
        patient, stranger = await world.patient(organization), await world.patient()
        await world.entry(organization, there, "individual", patient)
        await world.entry(organization, there, "leader", leader)
        await world.catch_up()
        assert set(await reading.listed(world, admin, eligible_individual_id=patient)) == {division, empty, sister}
        assert lost not in await reading.listed(world, admin, eligible_individual_id=patient)
        some = [there, sister, lost, empty]
        assert set(await reading.listed(world, admin, eligible_individual_id=patient, ids=some)) == {sister, empty}
        assert set(await reading.listed(world, await world.system(), eligible_individual_id=patient)) == {
            division,
            empty,
            sister,
        }
        assert await reading.listed(world, leader, eligible_individual_id=patient) == []
        await world.entry(organization, division, "leader", leader)
        assert set(await reading.listed(world, leader, eligible_individual_id=patient)) == {division, sister}
        assert await reading.listed(world, leader, eligible_individual_id=patient, ids=some) == [sister]
        assert await reading.listed(world, admin, eligible_individual_id=stranger) == []


async def everything(world: ReadModels) -> dict[str, list[Any]]:
    tables = ("groups", "group_totals", "group_logs", "group_log_totals", "tasks")
    rows = {}
    for table in tables:
        await world.cursor.execute(f"SELECT t::text FROM {table} t WHERE t::text NOT LIKE '%%,0)' ORDER BY 1".encode())
        rows[table] = await world.cursor.fetchall()
    return rows
