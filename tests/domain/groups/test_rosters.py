"""Who may be put into rosters by whom, and taken out."""

from uuid import uuid4

import pytest

from domain.core.errors import Forbidden
from domain.groups.groups import GroupInactive, GroupNotFound, GroupProviderOnly, GroupSystemManaged
from domain.groups.roster_commands import OtherOrganization, SameGroup, UserSelection
from domain.groups.roster_editor import NotEligible
from domain.people.individuals import IndividualNotFound
from domain.people.users import UserNotFound
from tests.domain.groups.test_groups import a_computed_group
from tests.support.world.memory import Team
from tests.support.world.principals import a_principal


async def test_individuals_are_added_once() -> None:
    team = Team()
    group, one, other = await team.group(), await team.individual(), await team.individual()
    await team.rosters.add_individuals(a_principal(team.admin), group, [one])
    position = await team.rosters.add_individuals(a_principal(team.admin), group, [one, other])
    assert await team.subjects(group, "individual") == {one, other}
    assert await team.rosters.add_individuals(a_principal(team.admin), group, [other, one]) == position
    assert (await team.entry_of(group, "individual", one)).version == 1


async def test_unchangeable_individuals_are_named_and_no_one_is_added() -> None:
    team, leader = Team(), uuid4()
    group, good, readable, hidden = await team.group(), *[await team.individual() for _ in range(3)]
    team.grants.allow(leader, group, "read", "write")
    team.grants.allow(leader, good, "read", "write")
    team.grants.allow(leader, readable, "read")
    with pytest.raises(IndividualNotFound) as unseen:
        await team.rosters.add_individuals(a_principal(leader), group, [good, readable, hidden])
    assert unseen.value.meta == {"individual-ids": [str(hidden)]}
    assert unseen.value.argument == "individual_ids"
    with pytest.raises(Forbidden) as unwritable:
        await team.rosters.add_individuals(a_principal(leader), group, [good, readable])
    assert unwritable.value.meta == {"individual-ids": [str(readable)]}
    assert await team.subjects(group, "individual") == set()


async def test_an_individual_that_is_not_the_organizations_is_not_eligible() -> None:
    team = Team()
    group, good, foreign = await team.group(), await team.individual(), await team.individual(shared=False)
    with pytest.raises(NotEligible) as refusal:
        await team.rosters.add_individuals(a_principal(team.admin), group, [good, foreign])
    assert refusal.value.meta == {"individual-ids": [str(foreign)]}
    assert await team.subjects(group, "individual") == set()


async def test_a_group_for_providers_takes_no_individuals() -> None:
    team = Team()
    group = await team.group(type="provider_only")
    with pytest.raises(GroupProviderOnly):
        await team.rosters.add_individuals(a_principal(team.admin), group, [await team.individual()])


async def test_permission_is_asked_also_when_nothing_would_change() -> None:
    team, leader = Team(), uuid4()
    group, individual = await team.group(), await team.individual()
    await team.entry(group, "individual", [individual])
    team.grants.allow(leader, group, "read", "write")
    with pytest.raises(IndividualNotFound):
        await team.rosters.add_individuals(a_principal(leader), group, [individual])


async def test_users_lead_and_belong_to_a_group_at_once() -> None:
    team = Team()
    group, user = await team.group(), await team.provider()
    await team.rosters.add_users(a_principal(team.admin), group, "leader", UserSelection([user]))
    await team.rosters.add_users(a_principal(team.admin), group, "member", UserSelection([user]))
    assert await team.subjects(group, "leader") == await team.subjects(group, "member") == {user}


async def test_users_are_found_by_their_addresses_in_any_case() -> None:
    team = Team()
    group, ann, bob = (
        await team.group(),
        await team.provider(email="ann@x.test"),
        await team.provider(email="bob@x.test"),
    )
    await team.rosters.add_users(
        a_principal(team.admin), group, "member", UserSelection(emails=["Ann@X.test", "bob@x.test"])
    )
    assert await team.subjects(group, "member") == {ann, bob}
    await team.rosters.remove_users(
        a_principal(team.admin), group, "member", UserSelection(emails=["ANN@x.test", "nobody@x.test"])
    )
    assert await team.subjects(group, "member") == {bob}


async def test_an_unreadable_user_is_treated_like_an_unknown_one() -> None:
    team, leader = Team(), uuid4()
    group, known = await team.group(), await team.provider()
    team.grants.allow(leader, group, "read", "write")
    team.grants.let_read(leader, known)
    hidden, unknown = await team.provider(email="ann@x.test"), uuid4()
    with pytest.raises(UserNotFound) as by_id:
        await team.rosters.add_users(a_principal(leader), group, "leader", UserSelection([known, hidden, unknown]))
    assert by_id.value.meta == {"user-ids": [str(hidden), str(unknown)]}
    with pytest.raises(UserNotFound) as by_address:
        await team.rosters.add_users(
            a_principal(leader), group, "leader", UserSelection(emails=["ann@x.test", "no@x.test"])
        )
    assert by_address.value.meta == {"user-emails": ["ann@x.test", "no@x.test"]}
    assert await team.subjects(group, "leader") == set()


async def test_only_enabled_providers_of_the_organization_are_eligible() -> None:
    team = Team()
    group, good, disabled, elsewhere = await team.group(), *[await team.provider() for _ in range(2)], uuid4()
    elsewhere = await team.provider(organization=elsewhere)
    archived = await team.provider()
    await team.disable(disabled)
    team.store.streams[archived].archived = True  # type: ignore[attr-defined]
    with pytest.raises(NotEligible) as refusal:
        await team.rosters.add_users(
            a_principal(team.admin), group, "leader", UserSelection([good, disabled, elsewhere, archived])
        )
    assert refusal.value.meta == {"user-ids": [str(disabled), str(elsewhere), str(archived)]}
    await team.entry(group, "leader", [disabled])
    await team.rosters.add_users(a_principal(team.admin), group, "leader", UserSelection([good, disabled]))
    assert await team.subjects(group, "leader") == {good, disabled}


async def test_a_user_who_leaves_at_that_moment_is_not_added() -> None:
    team = Team()
    group, user = await team.group(), await team.provider()
    team.let_leave_meanwhile(user)
    with pytest.raises(NotEligible):
        await team.rosters.add_users(a_principal(team.admin), group, "leader", UserSelection([user]))
    assert await team.subjects(group, "leader") == set()


async def test_no_user_is_added_to_a_group_deactivated_at_that_moment() -> None:
    team = Team()
    group, user = await team.group(), await team.provider()

    async def the_group_ends() -> None:
        await team.groups.deactivate(a_principal(team.admin), group)

    team.store.meanwhile = the_group_ends
    with pytest.raises(GroupInactive):
        await team.rosters.add_users(a_principal(team.admin), group, "leader", UserSelection([user]))


async def test_no_user_is_removed_from_a_group_deactivated_at_that_moment() -> None:
    team = Team()
    old, new, individual = await team.group(), await team.group(), await team.individual()
    await team.entry(old, "individual", [individual])

    async def the_old_group_ends() -> None:
        await team.groups.deactivate(a_principal(team.admin), old)

    team.store.meanwhile = the_old_group_ends
    with pytest.raises(GroupInactive):
        await team.rosters.add_individuals(a_principal(team.admin), new, [individual], remove_from_group=old)
    assert await team.subjects(old, "individual") == {individual}


async def test_naming_the_same_group_twice_is_refused_without_a_look_up() -> None:
    team, unknown = Team(), uuid4()
    with pytest.raises(SameGroup):
        await team.rosters.add_individuals(a_principal(team.admin), unknown, [uuid4()], remove_from_group=unknown)
    with pytest.raises(SameGroup):
        await team.rosters.add_users(
            a_principal(team.admin), unknown, "leader", UserSelection([uuid4()]), remove_from_group=unknown
        )


async def test_removing_ignores_people_who_are_not_in_the_roster() -> None:
    team = Team()
    group, individual, user = await team.group(), await team.individual(), await team.provider()
    await team.entry(group, "individual", [individual])
    await team.entry(group, "leader", [user])
    await team.rosters.remove_individuals(a_principal(team.admin), group, [individual, uuid4()])
    position = await team.rosters.remove_users(a_principal(team.admin), group, "leader", UserSelection([user, uuid4()]))
    assert await team.subjects(group, "individual") == await team.subjects(group, "leader") == set()
    assert await team.rosters.remove_individuals(a_principal(team.admin), group, [individual]) == position


async def test_a_removed_person_can_be_added_again() -> None:
    team = Team()
    group, individual = await team.group(), await team.individual()
    await team.rosters.add_individuals(a_principal(team.admin), group, [individual])
    await team.rosters.remove_individuals(a_principal(team.admin), group, [individual])
    await team.rosters.add_individuals(a_principal(team.admin), group, [individual])
    assert await team.subjects(group, "individual") == {individual}


async def test_people_change_groups_in_one_step() -> None:
    team = Team()
    old, new, here, there = await team.group(), await team.group(), await team.individual(), await team.individual()
    await team.entry(old, "individual", [here, there])
    await team.entry(new, "individual", [there])
    await team.rosters.add_individuals(a_principal(team.admin), new, [here, there], remove_from_group=old)
    assert await team.subjects(old, "individual") == set()
    assert await team.subjects(new, "individual") == {here, there}
    user = await team.provider()
    await team.entry(old, "leader", [user])
    await team.entry(old, "member", [user])
    await team.rosters.add_users(a_principal(team.admin), new, "member", UserSelection([user]), remove_from_group=old)
    assert await team.subjects(old, "leader") == {user}
    assert await team.subjects(old, "member") == set()


async def test_people_are_moved_only_from_a_group_the_caller_may_change() -> None:
    team, leader = Team(), uuid4()
    group, individual = await team.group(), await team.individual()
    foreign, closed, unseen = await team.group(organization=uuid4()), await team.group(), await team.group()
    await team.groups.deactivate(a_principal(team.admin), closed)
    for thing in (group, individual):
        team.grants.allow(leader, thing, "read", "write")
    refusals = {group: SameGroup, foreign: OtherOrganization, closed: GroupInactive}
    refusals[await a_computed_group(team)] = GroupSystemManaged
    for other, refusal in refusals.items():
        with pytest.raises(refusal) as refused:
            await team.rosters.add_individuals(a_principal(team.admin), group, [individual], remove_from_group=other)
        assert refused.value.argument == "remove_from_group"
    with pytest.raises(GroupNotFound):
        await team.rosters.add_individuals(a_principal(leader), group, [individual], remove_from_group=unseen)
    team.grants.allow(leader, unseen, "read")
    with pytest.raises(Forbidden):
        await team.rosters.add_individuals(a_principal(leader), group, [individual], remove_from_group=unseen)
