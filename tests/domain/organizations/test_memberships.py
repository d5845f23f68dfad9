from uuid import UUID, uuid4

import pytest

from domain.access.roles import Role, SystemRole, role_id
from domain.core.errors import InvalidState, NotFound
from domain.organizations.memberships import ForeignRole, StaffOrganization, UserIsParticipant
from domain.organizations.organizations import Organizations
from domain.people.individuals import Individual
from domain.people.named_users import UserIdOrEmail
from domain.people.users import User, UserArchived, UserNotFound
from tests.support.world.memory import MemoryWorld
from tests.support.world.people import a_person, a_user, an_organization
from tests.support.world.principals import EVERYTHING, SYSTEM


class World(MemoryWorld):
    async def add(self, organization_id: UUID, user: User, role_id: UUID | None = None, *, system: bool = False) -> int:
        principal = self.administrator(organization_id, system=system)
        _, position = await self.memberships.add(principal, organization_id, UserIdOrEmail(user.id), role_id)
        return position

    async def remove(self, organization_id: UUID, user: User) -> int:
        principal = self.administrator(organization_id)
        return await self.memberships.remove(principal, organization_id, UserIdOrEmail(user.id))

    async def user(self, user: User) -> User:
        return await self.store.get(User, user.id)

    async def share(self, user: User, organization_id: UUID) -> None:
        individual = await self.individual_of(user)
        individual.share("organization", organization_id)
        await self.store.save(individual)


async def test_a_user_who_joins_becomes_a_provider() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    await world.add(clinic, ann)
    assert list((await world.user(ann)).organizations) == [clinic]
    assert (await world.individual_of(ann)).provider


async def test_joining_again_records_nothing_but_grants_the_role() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    position = await world.add(clinic, ann)
    assert await world.add(clinic, ann) == position
    admin = role_id(clinic, "org.admin")
    assert await world.add(clinic, ann, admin) == position + 1
    assert (await world.store.get(Role, admin)).holders == {ann.id: True}
    assert await world.add(clinic, ann, admin) == position + 1


async def test_a_provider_joins_further_organizations() -> None:
    world = World()
    first, second = await an_organization(world.store), await an_organization(world.store, "other")
    ann = await world.person()
    await world.add(first, ann)
    await world.add(second, ann)
    assert list((await world.user(ann)).organizations) == [first, second]


async def test_a_user_made_ahead_joins() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person(live=False)
    await world.add(clinic, ann, role_id(clinic, "org.admin"))
    assert (await world.store.get(Role, role_id(clinic, "org.admin"))).holders == {ann.id: False}


async def test_a_disabled_user_gets_roles_but_joins_no_organization() -> None:
    world = World()
    clinic, other = await an_organization(world.store), await an_organization(world.store, "other")
    ann = await world.person()
    await world.add(clinic, ann)
    ann = await world.user(ann)
    ann.disable()
    await world.store.save(ann)
    with pytest.raises(InvalidState):
        await world.add(other, ann)
    await world.add(clinic, ann, role_id(clinic, "org.admin"))


async def test_a_service_account_does_not_join() -> None:
    world = World()
    clinic, robot = await an_organization(world.store), await world.person(kind="service")
    with pytest.raises(InvalidState):
        await world.add(clinic, robot)


async def test_no_user_joins_an_inactive_organization() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    await Organizations(world.store, EVERYTHING).change(SYSTEM, clinic, {"is_active": False})
    with pytest.raises(InvalidState):
        await world.add(clinic, ann, system=True)


async def test_a_participant_does_not_join() -> None:
    world = World()
    clinic, other = await an_organization(world.store), await an_organization(world.store, "other")
    shared, shared_with_user, two = await world.person(), await world.person(), await world.person()
    await world.share(shared, other)
    individual = await world.individual_of(shared_with_user)
    individual.share("user", two.id, "read")
    two.acquire_individual(uuid4())
    await world.store.save(individual, two, Individual.create(two.individuals[-1], "user", two.id))
    for participant in (shared, shared_with_user, two):
        with pytest.raises(UserIsParticipant):
            await world.add(clinic, participant)


async def test_unknown_and_unreadable_addresses_cost_the_same_reads() -> None:
    world = World()
    clinic, stranger = await an_organization(world.store), await a_person(world.store)
    await world.store.save(User.create(world.admin, classification="customer", individual_id=uuid4()))
    world.directory.emails["stranger@people.test"] = stranger.id
    read = []
    for email in ("stranger@people.test", "nobody@people.test"):
        before = world.store.found
        with pytest.raises(UserNotFound) as refusal:
            await world.memberships.add(world.administrator(clinic), clinic, UserIdOrEmail(email=email))
        assert refusal.value.argument == "email"
        read.append(world.store.found - before)
    assert read[0] == read[1]


async def test_a_patient_with_an_unclaimed_individual_does_not_join() -> None:
    world = World()
    clinic, other = await an_organization(world.store), await an_organization(world.store, "other")
    expected = [(False, UserIsParticipant), (True, None)]
    for provider, refusal in expected:
        user = a_user(live=False)
        assert user.individual_id is not None
        record = Individual.create(user.individual_id, "organization", other, provider=provider)
        await world.store.save(user, record)
        world.grants.let_read(world.admin, user.id)
        if refusal:
            with pytest.raises(refusal):
                await world.add(clinic, user)
        else:
            await world.add(clinic, user)


async def test_a_share_at_the_same_time_is_seen() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    world.store.meanwhile = lambda: world.share(ann, clinic)
    with pytest.raises(UserIsParticipant):
        await world.add(clinic, ann)


async def test_an_unreadable_user_is_not_found() -> None:
    world = World()
    clinic = await an_organization(world.store)
    stranger = await a_person(world.store)
    world.directory.emails["ann@example.test"] = stranger.id
    for name, argument in (
        (UserIdOrEmail(stranger.id), "user_id"),
        (UserIdOrEmail(uuid4()), "user_id"),
        (UserIdOrEmail(email="ann@example.test"), "email"),
        (UserIdOrEmail(email="nobody@example.test"), "email"),
    ):
        for command in (world.memberships.add, world.memberships.remove):
            with pytest.raises(UserNotFound) as refused:
                await command(world.administrator(clinic), clinic, name)
            assert refused.value.argument == argument


async def test_an_address_names_a_user_in_any_case() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person(email="ann@example.test")
    world.directory.emails["ann@example.test"] = ann.id
    name = UserIdOrEmail(email="Ann@Example.test")
    user, _ = await world.memberships.add(world.administrator(clinic), clinic, name)
    assert user.id == ann.id


async def test_an_archived_user_is_refused() -> None:
    """Ruling K143."""
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    ann = await world.user(ann)
    ann.archived = True
    world.store.streams[ann.id] = ann
    with pytest.raises(UserArchived):
        await world.add(clinic, ann, system=True)
    with pytest.raises(UserNotFound):
        await world.add(clinic, ann)


async def test_only_system_administrators_add_users_to_staff_organizations() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    await Organizations(world.store, EVERYTHING).change(SYSTEM, clinic, {"classification": "carium"})
    with pytest.raises(StaffOrganization):
        await world.add(clinic, ann)
    await world.add(clinic, ann, system=True)
    assert (await world.user(ann)).classification == "customer"


async def test_the_role_is_one_of_the_organization() -> None:
    world = World()
    clinic, other = await an_organization(world.store), await an_organization(world.store, "other")
    ann = await world.person()
    foreign = role_id(other, "org.admin")
    for unknown in (uuid4(), foreign, clinic):
        with pytest.raises(NotFound):
            await world.add(clinic, ann, unknown)
    world.grants.allow(world.admin, other, "read")
    with pytest.raises(ForeignRole):
        await world.add(clinic, ann, foreign)


async def test_only_a_system_administrator_hands_out_the_system_role() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await world.person()
    system = Role.create(clinic, "carium.admin", "System administrator")
    await world.store.save(system)
    with pytest.raises(SystemRole):
        await world.add(clinic, ann, system.id)
    await world.add(clinic, ann, system.id, system=True)
    with pytest.raises(SystemRole):
        await world.remove(clinic, ann)
