from uuid import UUID, uuid4

import pytest

from domain.access.roles import LastAdmin, Role, SystemRole, role_id
from domain.core.errors import NotFound
from domain.people.named_users import UserIdOrEmail
from domain.people.users import NotInOrganization, User, UserNotFound
from tests.support.world.memory import MemoryWorld
from tests.support.world.people import a_person, an_organization
from tests.support.world.principals import a_principal


class World(MemoryWorld):
    async def provider(self, organization_id: UUID, **known: object) -> User:
        user = await self.person(**known)
        principal = self.administrator(organization_id, system=True)
        await self.memberships.add(principal, organization_id, UserIdOrEmail(user.id))
        return user

    async def grant(self, role: UUID, user: User, *, system: bool = False) -> int:
        _, position = await self.role_users.grant(a_principal(self.admin, system=system), role, UserIdOrEmail(user.id))
        return position

    async def revoke(self, role: UUID, user: User, *, system: bool = False) -> int:
        return await self.role_users.revoke(a_principal(self.admin, system=system), role, UserIdOrEmail(user.id))

    async def holders(self, role: UUID) -> dict[UUID, bool]:
        return (await self.store.get(Role, role)).holders


async def test_a_provider_gets_a_role_once() -> None:
    world = World()
    clinic = await an_organization(world.store)
    admin, ann = role_id(clinic, "org.admin"), await world.provider(clinic)
    position = await world.grant(admin, ann)
    assert await world.grant(admin, ann) == position
    assert await world.holders(admin) == {ann.id: True}


async def test_the_role_knows_whether_its_holder_is_live() -> None:
    world = World()
    clinic = await an_organization(world.store)
    admin, ann = role_id(clinic, "org.admin"), await world.provider(clinic, live=False)
    await world.grant(admin, ann)
    assert await world.holders(admin) == {ann.id: False}


async def test_a_user_outside_the_organization_gets_no_role() -> None:
    world = World()
    clinic, other = await an_organization(world.store), await an_organization(world.store, "other")
    ann = await world.provider(other)
    world.administrator(clinic)
    with pytest.raises(NotInOrganization):
        await world.grant(role_id(clinic, "org.admin"), ann)


async def test_a_user_who_leaves_at_that_moment_gets_no_role() -> None:
    world = World()
    clinic = await an_organization(world.store)
    ann, admin = await world.provider(clinic), world.administrator(clinic)
    world.store.meanwhile = lambda: world.memberships.remove(admin, clinic, UserIdOrEmail(ann.id))
    with pytest.raises(NotInOrganization):
        await world.grant(role_id(clinic, "org.admin"), ann)


async def test_revoking_a_role_that_is_not_held_records_nothing() -> None:
    world = World()
    clinic = await an_organization(world.store)
    ann = await world.provider(clinic)
    assert await world.revoke(role_id(clinic, "org.admin"), ann) == len(world.store.events)


async def test_the_last_live_holder_keeps_it() -> None:
    world = World()
    clinic = await an_organization(world.store)
    admin, ann, bob = role_id(clinic, "org.admin"), await world.provider(clinic), await world.provider(clinic)
    await world.grant(admin, ann)
    with pytest.raises(LastAdmin):
        await world.revoke(admin, ann)
    await world.grant(admin, bob)
    await world.revoke(admin, ann)
    assert await world.holders(admin) == {bob.id: True}


async def test_one_of_two_administrators_who_remove_each_other_stays() -> None:
    world = World()
    clinic = await an_organization(world.store)
    admin, ann, bob = role_id(clinic, "org.admin"), await world.provider(clinic), await world.provider(clinic)
    await world.grant(admin, ann)
    await world.grant(admin, bob)

    async def other() -> None:
        await world.revoke(admin, ann)

    world.store.meanwhile = other
    with pytest.raises(LastAdmin):
        await world.revoke(admin, bob)


async def test_the_system_role_is_the_system_administrators_to_give() -> None:
    world = World()
    clinic = await an_organization(world.store)
    system, ann, bob = (
        Role.create(clinic, "carium.admin", "System"),
        await world.provider(clinic, staff=True),
        await world.provider(clinic, staff=True),
    )
    await world.store.save(system)
    with pytest.raises(SystemRole):
        await world.grant(system.id, ann)
    await world.grant(system.id, ann, system=True)
    await world.grant(system.id, bob, system=True)
    with pytest.raises(SystemRole):
        await world.revoke(system.id, ann)
    await world.revoke(system.id, ann, system=True)
    with pytest.raises(LastAdmin):
        await world.revoke(system.id, bob, system=True)


async def test_the_system_role_counts_for_staff_only() -> None:
    world = World()
    clinic = await an_organization(world.store)
    system = Role.create(clinic, "carium.admin", "System")
    ann, bob = await world.provider(clinic, staff=True), await world.provider(clinic)
    await world.store.save(system)
    await world.grant(system.id, ann, system=True)
    await world.grant(system.id, bob, system=True)
    with pytest.raises(LastAdmin):
        await world.revoke(system.id, ann, system=True)
    await world.revoke(system.id, bob, system=True)


async def test_unknown_roles_and_users_are_not_found() -> None:
    world = World()
    clinic = await an_organization(world.store)
    ann, stranger = await world.provider(clinic), await a_person(world.store)
    with pytest.raises(NotFound):
        await world.grant(uuid4(), ann)
    for command in (world.grant, world.revoke):
        with pytest.raises(UserNotFound):
            await command(role_id(clinic, "org.admin"), stranger)
