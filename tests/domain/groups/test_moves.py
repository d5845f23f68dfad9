"""Moves: what is refused at once, what a task finds later, and that a task may run any number of times."""

from dataclasses import replace
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.core.errors import Forbidden
from domain.groups.groups import GroupInactive, GroupNotFound, GroupSystemManaged
from domain.groups.moves import DivisionUnderGroup, ParentElsewhere
from domain.groups.trees import GroupCycle, GroupTree, MoveInProgress, TooDeep
from tests.domain.groups.test_groups import a_computed_group
from tests.support.world.memory import Team
from tests.support.world.principals import a_principal


async def a_chain(team: Team, length: int) -> list[UUID]:
    """Groups, each under the one before."""
    chain = [await team.group() for _ in range(length)]
    for parent, child in pairwise(chain):
        await team.move(child, parent)
    return chain


def last_event(team: Team) -> Any:
    return team.store.events[-1]


async def test_a_move_is_requested_and_executed_once() -> None:
    team = Team()
    parent, child = await team.group(), await team.group()
    task_id, position = await team.moves.request(replace(a_principal(team.admin), queue_delay=250), child, parent)
    assert position == len(team.store.events)
    assert last_event(team).delay == 250
    assert await team.parents() == {}
    moved = await team.moves.carry_out(team.organization, task_id)
    assert await team.parents() == {child: parent}
    assert moved == position + 1
    assert await team.moves.carry_out(team.organization, task_id) is None
    assert await team.moves.carry_out(uuid4(), task_id) is None
    assert len(team.store.events) == moved


async def test_a_group_that_stands_there_already_is_done_at_once() -> None:
    team = Team()
    parent, child = await a_chain(team, 2)
    for place in (parent, None):
        await team.move(child, place)
        await team.moves.request(a_principal(team.admin), child, place)
        assert isinstance(last_event(team), GroupTree.MoveFinishedUnchanged)


async def test_an_administrator_moves_a_group_to_the_top() -> None:
    team, leader = Team(), uuid4()
    _, child = await a_chain(team, 2)
    team.grants.allow(leader, child, "read", "write")
    with pytest.raises(Forbidden):
        await team.moves.request(a_principal(leader), child, None)
    await team.move(child, None)
    assert await team.parents() == {}


async def test_both_ends_must_be_the_callers_to_change() -> None:
    team, leader = Team(), uuid4()
    parent, child = await team.group(), await team.group()
    team.grants.allow(leader, child, "read", "write")
    with pytest.raises(GroupNotFound) as unseen:
        await team.moves.request(a_principal(leader), child, parent)
    assert unseen.value.argument == "to_parent_group_id"
    team.grants.allow(leader, parent, "read")
    with pytest.raises(Forbidden):
        await team.moves.request(a_principal(leader), child, parent)
    with pytest.raises(GroupNotFound):
        await team.moves.request(a_principal(uuid4()), child, parent)


async def test_a_parent_is_an_active_regular_group_of_the_organization() -> None:
    team = Team()
    child, division, closed = await team.group(), await team.group(node_type="division"), await team.group()
    await team.groups.deactivate(a_principal(team.admin), closed)
    computed, foreign = await a_computed_group(team), await team.group(organization=uuid4())
    refusals = {computed: GroupSystemManaged, closed: GroupInactive, foreign: ParentElsewhere, child: GroupCycle}
    for parent, refusal in refusals.items():
        with pytest.raises(refusal):
            await team.moves.request(a_principal(team.admin), child, parent)
    with pytest.raises(DivisionUnderGroup):
        await team.moves.request(a_principal(team.admin), division, child)
    with pytest.raises(GroupSystemManaged):
        await team.moves.request(a_principal(team.admin), computed, child)


async def test_a_group_does_not_come_under_its_own_descendant() -> None:
    team = Team()
    chain = await a_chain(team, 3)
    with pytest.raises(GroupCycle):
        await team.moves.request(a_principal(team.admin), chain[0], chain[2])


async def test_the_tree_has_thirty_two_levels_the_moved_subtree_included() -> None:
    team = Team()
    tall, short = await a_chain(team, 30), await a_chain(team, 3)
    with pytest.raises(TooDeep):
        await team.moves.request(a_principal(team.admin), short[0], tall[-1])
    await team.move(short[1], tall[-1])
    with pytest.raises(TooDeep):
        await team.moves.request(a_principal(team.admin), short[0], short[2])


async def test_one_move_of_a_group_at_a_time() -> None:
    team = Team()
    one, other, child = [await team.group() for _ in range(3)]
    task_id, _ = await team.moves.request(a_principal(team.admin), child, one)
    for target in (other, one, None):
        with pytest.raises(MoveInProgress):
            await team.moves.request(a_principal(team.admin), child, target)
    await team.moves.carry_out(team.organization, task_id)
    await team.moves.request(a_principal(team.admin), child, other)


async def test_the_second_of_two_moves_that_make_a_cycle_fails() -> None:
    team = Team()
    one, other = await team.group(), await team.group()
    first, _ = await team.moves.request(a_principal(team.admin), one, other)
    second, _ = await team.moves.request(a_principal(team.admin), other, one)
    await team.moves.carry_out(team.organization, first)
    await team.moves.carry_out(team.organization, second)
    assert await team.parents() == {one: other}
    assert last_event(team).error == "group-cycle"


@pytest.mark.parametrize("which", [0, 1])
async def test_a_move_of_or_under_a_group_that_was_deactivated_fails(which: int) -> None:
    team = Team()
    ends = [await team.group(), await team.group()]
    task_id, _ = await team.moves.request(a_principal(team.admin), ends[0], ends[1])
    await team.groups.deactivate(a_principal(team.admin), ends[which])
    await team.moves.carry_out(team.organization, task_id)
    assert await team.parents() == {}
    assert last_event(team).error == "invalid-state"


async def test_a_parent_deactivated_during_the_move_gets_no_child() -> None:
    team = Team()
    child, parent = await team.group(), await team.group()
    task_id, _ = await team.moves.request(a_principal(team.admin), child, parent)

    async def the_parent_ends() -> None:
        await team.groups.deactivate(a_principal(team.admin), parent)

    team.store.meanwhile = the_parent_ends
    await team.moves.carry_out(team.organization, task_id)
    assert isinstance(last_event(team), GroupTree.MoveFailed)
    assert await team.parents() == {}


@pytest.mark.parametrize("which", [0, 1])
async def test_no_move_of_a_group_deactivated_at_that_moment_is_requested(which: int) -> None:
    team = Team()
    await a_chain(team, 2)  # so that the organization has a tree, which a group at the top ends without changing
    pair = [await team.group(), await team.group()]
    before = len(team.store.events)

    async def one_ends() -> None:
        await team.groups.deactivate(a_principal(team.admin), pair[which])

    team.store.meanwhile = one_ends
    with pytest.raises(GroupInactive):
        await team.moves.request(a_principal(team.admin), pair[0], pair[1])
    assert len(team.store.events) == before + 1, "the end alone"
