"""Leaving organizations."""

from uuid import UUID, uuid4

import pytest

from domain.access.roles import LastAdmin, Role, role_id
from domain.core.errors import InvalidState, NotFound
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry, roster_entry_id
from domain.organizations.organizations import Organization, Organizations
from domain.people.users import User
from tests.domain.organizations.test_memberships import World
from tests.support.world.people import an_organization
from tests.support.world.principals import EVERYTHING, SYSTEM


async def a_seated(world: World, clinic: UUID, user: User) -> Group:
    group = Group.create(uuid4(), clinic, "team")
    leader = RosterEntry.add(group.id, clinic, "leader", user.id)
    member = RosterEntry.add(group.id, clinic, "member", user.id)
    await world.store.save(group, leader, member)
    return group


async def test_leaving_ends_roles_and_roster_entries_in_one_append() -> None:
    world = World()
    clinic, other = await an_organization(world.store), await an_organization(world.store, "other")
    ann, bob = await world.person(), await world.person()
    await world.add(clinic, ann, role_id(clinic, "org.admin"))
    await world.add(clinic, bob, role_id(clinic, "org.admin"))
    await world.add(other, ann)
    elsewhere = await a_seated(world, other, ann)
    team = await a_seated(world, clinic, ann)
    before = len(world.store.events)
    position = await world.remove(clinic, ann)
    assert [type(event).__qualname__ for event in world.store.events[before:]] == [
        "Role.Revoked",
        "RosterEntry.Removed",
        "RosterEntry.Removed",
        "User.LeftOrganization",
    ]
    assert position == len(world.store.events)
    assert list((await world.user(ann)).organizations) == [other]
    assert (await world.store.get(Role, role_id(clinic, "org.admin"))).holders == {bob.id: True}
    assert not (await world.store.get(RosterEntry, roster_entry_id(team.id, "leader", ann.id))).present
    assert (await world.store.get(RosterEntry, roster_entry_id(elsewhere.id, "leader", ann.id))).present
    assert (await world.individual_of(ann)).provider


async def test_a_user_who_leaves_the_last_organization_is_no_provider() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    await world.add(clinic, ann)
    await world.remove(clinic, ann)
    assert not (await world.individual_of(ann)).provider


async def test_removing_an_unreadable_former_member_records_nothing() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    await world.add(clinic, ann)
    position = await world.remove(clinic, ann)
    world.grants.readable.clear()
    assert await world.remove(clinic, ann) == position
    await world.add(clinic, ann)
    assert list((await world.user(ann)).organizations) == [clinic]


async def test_removing_a_user_who_is_no_member_records_nothing() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    assert await world.remove(clinic, ann) == len(world.store.events)


async def test_the_last_live_administrator_stays() -> None:
    world = World()
    clinic, ann, bob = await an_organization(world.store), await world.person(), await world.person(live=False)
    await world.add(clinic, ann, role_id(clinic, "org.admin"))
    await world.add(clinic, bob, role_id(clinic, "org.admin"))
    with pytest.raises(LastAdmin):
        await world.remove(clinic, ann)
    assert clinic in (await world.user(ann)).organizations


async def test_an_administrator_who_is_not_live_can_be_removed() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person(live=False)
    admin = role_id(clinic, "org.admin")
    await world.add(clinic, ann, admin)
    assert (await world.store.get(Role, admin)).holders == {ann.id: False}
    await world.remove(clinic, ann)
    assert (await world.store.get(Role, admin)).holders == {}


async def test_a_role_given_at_the_same_time_is_taken_back_too() -> None:
    world = World()
    clinic, ann, bob = await an_organization(world.store), await world.person(), await world.person()
    admin = role_id(clinic, "org.admin")
    await world.add(clinic, bob, admin)
    await world.add(clinic, ann)

    async def grant() -> None:
        await world.add(clinic, ann, admin)

    world.store.meanwhile = grant
    await world.remove(clinic, ann)
    assert (await world.store.get(Role, admin)).holders == {bob.id: True}


async def test_a_user_who_leaves_at_that_moment_keeps_no_role() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    admin = role_id(clinic, "org.admin")
    await world.add(clinic, ann)

    async def leave() -> None:
        await world.remove(clinic, ann)

    world.store.meanwhile = leave
    await world.add(clinic, ann, admin)  # decided again: the user joins again, with the role
    assert (await world.store.get(Role, admin)).holders == {ann.id: True}
    assert list((await world.user(ann)).organizations) == [clinic]


async def test_an_unknown_organization_is_not_found() -> None:
    world = World()
    ann = await world.person()
    with pytest.raises(NotFound):
        await world.add(uuid4(), ann)
    assert await world.store.find(Organization, ann.id) is None


async def test_no_user_joins_an_organization_deactivated_at_that_moment() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()

    async def it_ends() -> None:
        await Organizations(world.store, EVERYTHING).change(SYSTEM, clinic, {"is_active": False})

    world.store.meanwhile = it_ends
    with pytest.raises(InvalidState):
        await world.add(clinic, ann)
    assert (await world.user(ann)).organizations == {}
