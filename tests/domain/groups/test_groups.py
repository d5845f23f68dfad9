"""Making, changing and deactivating groups."""

from uuid import UUID, uuid4

import pytest

from domain.core.errors import Forbidden, NotFound
from domain.groups.groups import (
    Group,
    GroupInactive,
    GroupNotEmpty,
    GroupNotFound,
    GroupProviderOnly,
    GroupSystemManaged,
    system_group_id,
)
from domain.groups.roster_editor import NotEligible
from domain.groups.trees import GroupTree, tree_id
from domain.people.individuals import IndividualNotFound
from domain.people.users import UserNotFound
from tests.support.world.memory import Team
from tests.support.world.principals import a_principal


async def found(team: Team, group_id: UUID) -> Group:
    return await team.store.get(Group, group_id)


async def a_computed_group(team: Team) -> UUID:
    group = Group.create_computed(team.organization, "unassigned", "Unassigned")
    await team.store.save(group)
    return group.id


async def test_a_new_group_has_its_people_from_the_start() -> None:
    team = Team()
    leader, individual = await team.provider(), await team.individual()
    before = len(team.store.events)
    group_id, position = await team.groups.create(
        a_principal(team.admin),
        team.organization,
        "Heart",
        tags=["a"],
        leader_ids=[leader],
        individual_ids=[individual],
    )
    group = await found(team, group_id)
    assert (group.name, group.tags, group.type, group.node_type) == ("Heart", ["a"], "regular", "group")
    assert await team.subjects(group_id, "leader") == {leader}
    assert await team.subjects(group_id, "individual") == {individual}
    assert position == before + 3 == len(team.store.events)


async def test_a_group_is_created_by_an_administrator() -> None:
    team, provider = Team(), uuid4()
    with pytest.raises(NotFound) as unseen:
        await team.groups.create(a_principal(provider), team.organization, "Heart")
    assert unseen.value.argument == "organization_id"
    team.grants.allow(provider, team.organization, "read")
    with pytest.raises(Forbidden):
        await team.groups.create(a_principal(provider), team.organization, "Heart")


async def test_a_group_with_an_unacceptable_person_is_not_created() -> None:
    team = Team()
    leader, stranger = await team.provider(), await team.provider(organization=uuid4())
    individuals = [await team.individual()]
    before = len(team.store.events)
    with pytest.raises(NotEligible) as refusal:
        await team.groups.create(a_principal(team.admin), team.organization, "Heart", leader_ids=[leader, stranger])
    assert refusal.value.meta == {"user-ids": [str(stranger)]}
    with pytest.raises(GroupProviderOnly):
        await team.groups.create(
            a_principal(team.admin), team.organization, "Heart", type="provider_only", individual_ids=individuals
        )
    assert len(team.store.events) == before


async def test_unreadable_users_are_reported_before_ineligible_ones() -> None:
    team = Team()
    disabled, hidden = await team.provider(), uuid4()
    await team.disable(disabled)
    with pytest.raises(IndividualNotFound):
        await team.groups.create(
            a_principal(team.admin), team.organization, "Heart", leader_ids=[disabled], individual_ids=[hidden]
        )


async def test_name_and_tags_change_and_repeating_it_records_nothing() -> None:
    team = Team()
    group_id = await team.group()
    first = await team.groups.change(a_principal(team.admin), group_id, name="Lung", tags=["b"])
    group = await found(team, group_id)
    assert (group.name, group.tags) == ("Lung", ["b"])
    assert await team.groups.change(a_principal(team.admin), group_id, name="Lung", tags=["b"]) == first


async def test_leaders_are_replaced_as_a_whole() -> None:
    team = Team()
    group_id = await team.group()
    stays, goes, comes = [await team.provider() for _ in range(3)]
    await team.entry(group_id, "leader", [stays, goes])
    first = await team.groups.change(a_principal(team.admin), group_id, leader_ids=[stays, comes])
    assert await team.subjects(group_id, "leader") == {stays, comes}
    assert await team.groups.change(a_principal(team.admin), group_id, leader_ids=[stays, comes]) == first
    await team.groups.change(a_principal(team.admin), group_id, leader_ids=[])
    assert await team.subjects(group_id, "leader") == set()


async def test_a_disabled_leader_may_stay_but_not_come() -> None:
    team = Team()
    group_id = await team.group()
    old, new = await team.provider(), await team.provider()
    await team.entry(group_id, "leader", [old])
    await team.disable(old)
    await team.disable(new)
    await team.groups.change(a_principal(team.admin), group_id, name="Lung", leader_ids=[old])
    with pytest.raises(NotEligible) as refusal:
        await team.groups.change(a_principal(team.admin), group_id, leader_ids=[old, new])
    assert refusal.value.meta == {"user-ids": [str(new)]}
    assert refusal.value.argument == "leader_ids"


async def test_an_unknown_leader_is_not_found() -> None:
    team, unknown = Team(), uuid4()
    group_id = await team.group()
    with pytest.raises(UserNotFound) as refusal:
        await team.groups.change(a_principal(team.admin), group_id, leader_ids=[unknown])
    assert refusal.value.meta == {"user-ids": [str(unknown)]}


async def test_one_of_two_concurrent_replacements_of_leaders_wins() -> None:
    team = Team()
    group_id = await team.group()
    one, other = await team.provider(), await team.provider()

    async def somebody_else_is_faster() -> None:
        await team.groups.change(a_principal(team.admin), group_id, leader_ids=[other])

    team.store.meanwhile = somebody_else_is_faster
    await team.groups.change(a_principal(team.admin), group_id, leader_ids=[one])
    assert await team.subjects(group_id, "leader") == {one}


@pytest.mark.parametrize("new", [True, False])
async def test_a_user_who_leaves_at_that_moment_becomes_no_leader(new: bool) -> None:
    team = Team()
    group_id, user_id = await team.group(), await team.provider()

    async def lead() -> object:
        if new:
            return await team.groups.create(a_principal(team.admin), team.organization, "Lung", leader_ids=[user_id])
        return await team.groups.change(a_principal(team.admin), group_id, leader_ids=[user_id])

    team.let_leave_meanwhile(user_id)
    with pytest.raises(NotEligible):
        await lead()
    assert await team.subjects(group_id, "leader") == set()


async def test_a_group_is_hidden_from_strangers_and_unchangeable_for_readers() -> None:
    team, stranger, member = Team(), uuid4(), uuid4()
    group_id = await team.group()
    team.grants.allow(member, group_id, "read")
    with pytest.raises(GroupNotFound):
        await team.groups.change(a_principal(stranger), group_id, name="Lung")
    with pytest.raises(GroupNotFound):
        await team.groups.change(a_principal(team.admin), uuid4(), name="Lung")
    with pytest.raises(Forbidden):
        await team.groups.change(a_principal(member), group_id, name="Lung")


async def test_only_administrators_learn_that_a_group_is_computed() -> None:
    team, provider, stranger = Team(), uuid4(), uuid4()
    group_id = await a_computed_group(team)
    assert group_id == system_group_id(team.organization, "unassigned")
    team.grants.allow(provider, group_id, "read")
    with pytest.raises(GroupSystemManaged):
        await team.groups.change(a_principal(team.admin), group_id, name="Lung")
    with pytest.raises(GroupSystemManaged):
        await team.groups.deactivate(a_principal(team.admin), group_id)
    with pytest.raises(Forbidden):
        await team.groups.change(a_principal(provider), group_id, name="Lung")
    with pytest.raises(GroupNotFound):
        await team.groups.change(a_principal(stranger), group_id, name="Lung")


async def test_administrators_and_not_leaders_deactivate_groups() -> None:
    team, leader, stranger = Team(), uuid4(), uuid4()
    group_id = await team.group()
    team.grants.allow(leader, group_id, "read", "write")
    with pytest.raises(Forbidden):
        await team.groups.deactivate(a_principal(leader), group_id)
    with pytest.raises(GroupNotFound):
        await team.groups.deactivate(a_principal(stranger), group_id)
    position = await team.groups.deactivate(a_principal(team.admin), group_id)
    assert not (await found(team, group_id)).active
    assert await team.groups.deactivate(a_principal(team.admin), group_id) == position


async def test_an_inactive_group_takes_no_changes() -> None:
    team, leader = Team(), uuid4()
    group_id = await team.group()
    team.grants.allow(leader, group_id, "read", "write")
    await team.groups.deactivate(a_principal(team.admin), group_id)
    with pytest.raises(GroupInactive):
        await team.groups.change(a_principal(team.admin), group_id, name="Lung")
    with pytest.raises(GroupNotFound):
        await team.groups.change(a_principal(leader), group_id, name="Lung")


async def test_a_group_with_active_groups_under_it_stays() -> None:
    team = Team()
    parent, child = await team.group(node_type="division"), await team.group()
    await team.move(child, parent)
    with pytest.raises(GroupNotEmpty):
        await team.groups.deactivate(a_principal(team.admin), parent)
    await team.groups.deactivate(a_principal(team.admin), child)
    await team.groups.deactivate(a_principal(team.admin), parent)
    assert not (await found(team, parent)).active


@pytest.mark.parametrize("planted", [False, True])
async def test_a_group_moved_under_it_meanwhile_keeps_a_group_active(*, planted: bool) -> None:
    team = Team()
    parent, child = await team.group(), await team.group()
    if planted:
        await team.store.save(GroupTree.create(team.organization))

    async def somebody_moves_the_child() -> None:
        await team.move(child, parent)

    team.store.meanwhile = somebody_moves_the_child
    with pytest.raises(GroupNotEmpty):
        await team.groups.deactivate(a_principal(team.admin), parent)
    assert await team.parents() == {child: parent}


async def test_an_inactive_group_leaves_the_tree() -> None:
    team = Team()
    parent, child = await team.group(), await team.group()
    await team.move(child, parent)
    await team.groups.deactivate(a_principal(team.admin), child)
    assert (await team.store.get(GroupTree, tree_id(team.organization))).parents == {}
    before = len(team.store.events)
    await team.groups.deactivate(a_principal(team.admin), parent)  # it stood at the top, so the tree stays as it is
    assert len(team.store.events) == before + 1


@pytest.mark.parametrize("still", [[], ["read"]])
async def test_administrators_are_told_that_a_group_became_inactive(still: list[str]) -> None:
    team, governor = Team(), uuid4()
    group_id = await team.group()
    team.grants.allow(governor, team.organization, "read", "write")
    team.grants.allow(governor, group_id, *still)
    with pytest.raises(GroupInactive):
        await team.groups.change(a_principal(governor), group_id, name="Lung")
