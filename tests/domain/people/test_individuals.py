from uuid import UUID, uuid4

import pytest

from domain.core.errors import InvalidState
from domain.groups.rosters import RosterEntry, roster_entry_id
from domain.organizations.memberships import UserIsParticipant
from domain.people.individuals import (
    Individual,
    IndividualNotFound,
    IndividualTaken,
    NotTheOwner,
    OwnerNotFound,
    ProviderOwner,
    ProvidersIndividual,
)
from domain.people.named_users import UserIdOrEmail
from domain.people.users import User
from tests.support.world.memory import MemoryWorld
from tests.support.world.people import a_person, an_organization
from tests.support.world.principals import SERVICE, SYSTEM, a_principal, a_system_administrator


class World(MemoryWorld):
    async def become_provider(self, user: User, organization_id: UUID) -> None:
        self.grants.let_read(user.id, user.id)
        self.grants.allow(user.id, organization_id, "read")
        await self.memberships.add(a_system_administrator(user.id), organization_id, UserIdOrEmail(user.id))

    async def place(self, individual_id: UUID, organization_id: UUID) -> RosterEntry:
        entry = RosterEntry.add(uuid4(), organization_id, "individual", individual_id)
        await self.store.save(entry)
        return entry

    async def taken(self, entry: RosterEntry) -> bool:
        return (
            await self.store.get(RosterEntry, roster_entry_id(entry.group_id, entry.kind, entry.subject_id))
        ).present


async def test_an_individual_is_registered_once() -> None:
    world, wanted = World(), uuid4()
    clinic = await an_organization(world.store)
    individual, position = await world.individuals.create(SERVICE, wanted, clinic)
    assert (individual.id, individual.owner_type, individual.owner_id) == (wanted, "organization", clinic)
    assert await world.individuals.create(SERVICE, wanted, clinic) == (individual, position)


async def test_a_user_owns_several() -> None:
    world = World()
    ann = await a_person(world.store)
    individual, position = await world.individuals.create(SERVICE, uuid4(), ann.id)
    assert (individual.owner_type, individual.owner_id) == ("user", ann.id)
    assert (await world.store.get(User, ann.id)).individuals == [ann.individual_id, individual.id]
    assert await world.individuals.create(SERVICE, individual.id, ann.id) == (individual, position)


async def test_another_owner_of_the_same_individual_is_refused() -> None:
    world, wanted = World(), uuid4()
    clinic, ann = await an_organization(world.store), await a_person(world.store)
    await world.individuals.create(SERVICE, wanted, clinic)
    with pytest.raises(IndividualTaken):
        await world.individuals.create(SERVICE, wanted, ann.id)


async def test_owners_are_users_or_organizations() -> None:
    world = World()
    robot = await a_person(world.store, kind="service")
    for unknown in (uuid4(), robot.id):
        with pytest.raises(OwnerNotFound):
            await world.individuals.create(SERVICE, uuid4(), unknown)


async def test_a_provider_owns_no_further_individual() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await a_person(world.store)
    await world.become_provider(ann, clinic)
    with pytest.raises(ProviderOwner):
        await world.individuals.create(SERVICE, uuid4(), ann.id)
    other, _ = await world.individuals.create(SERVICE, uuid4(), clinic)
    with pytest.raises(ProviderOwner):
        await world.individuals.change_owner(SERVICE, other.id, ann.id)


async def test_a_user_with_a_further_individual_becomes_no_provider() -> None:
    world = World()
    clinic, ann, bob = await an_organization(world.store), await a_person(world.store), await a_person(world.store)
    theirs, _ = await world.individuals.create(SERVICE, uuid4(), clinic)
    for user, meanwhile in (
        (ann, lambda: world.individuals.create(SERVICE, uuid4(), ann.id)),
        (bob, lambda: world.individuals.change_owner(SERVICE, theirs.id, bob.id)),
    ):
        world.store.meanwhile = meanwhile
        with pytest.raises(UserIsParticipant):
            await world.become_provider(user, clinic)
        assert not (await world.individual_of(user)).provider


async def test_a_new_provider_gets_no_further_individual() -> None:
    world = World()
    clinic, ann, bob = await an_organization(world.store), await a_person(world.store), await a_person(world.store)
    theirs, _ = await world.individuals.create(SERVICE, uuid4(), clinic)
    world.store.meanwhile = lambda: world.become_provider(ann, clinic)
    with pytest.raises(ProviderOwner):
        await world.individuals.create(SERVICE, uuid4(), ann.id)
    world.store.meanwhile = lambda: world.become_provider(bob, clinic)
    with pytest.raises(ProviderOwner):
        await world.individuals.change_owner(SERVICE, theirs.id, bob.id)


async def test_a_user_without_further_individuals_may_become_a_provider() -> None:
    world = World()
    clinic, ann, bob = await an_organization(world.store), await a_person(world.store), await a_person(world.store)
    further, _ = await world.individuals.create(SERVICE, uuid4(), ann.id)
    with pytest.raises(UserIsParticipant):
        await world.become_provider(ann, clinic)
    await world.individuals.change_owner(SERVICE, further.id, bob.id)
    await world.become_provider(ann, clinic)
    assert (await world.store.get(User, bob.id)).individuals == [bob.individual_id, further.id]


async def test_sharing_again_records_nothing_and_another_operation_replaces_the_first() -> None:
    world = World()
    clinic, ann, bob = await an_organization(world.store), await a_person(world.store), await a_person(world.store)
    individual = await world.individual_of(ann)
    _, position = await world.individuals.share(a_principal(ann.id), individual.id, "organization", clinic, None)
    shared, again = await world.individuals.share(a_principal(ann.id), individual.id, "organization", clinic, "read")
    assert (set(shared.organizations), again) == ({clinic}, position)
    for operation, expected in (("read", 1), ("read", 1), ("write", 2)):
        shared, later = await world.individuals.share(a_principal(ann.id), individual.id, "user", bob.id, operation)
        assert (shared.users, later - position) == ({bob.id: operation}, expected)


async def test_the_owner_needs_no_share() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await a_person(world.store)
    individual = await world.individual_of(ann)
    _, position = await world.individuals.share(a_principal(ann.id), individual.id, "user", ann.id, "read")
    assert position == len(world.store.events)
    assert not (await world.individual_of(ann)).shared
    theirs, _ = await world.individuals.create(SERVICE, uuid4(), clinic)
    world.grants.allow(ann.id, clinic, "write")
    same, _ = await world.individuals.share(a_principal(ann.id), theirs.id, "organization", clinic, None)
    assert not same.shared


async def test_administrators_of_the_owning_organization_count_as_its_owner() -> None:
    world = World()
    clinic, ann, bob = await an_organization(world.store), await a_person(world.store), await a_person(world.store)
    theirs, _ = await world.individuals.create(SERVICE, uuid4(), clinic)
    world.grants.allow(ann.id, clinic, "write")
    await world.individuals.share(a_principal(ann.id), theirs.id, "user", bob.id, "read")
    await world.individuals.unshare(a_principal(ann.id), theirs.id, "user", bob.id)
    assert not (await world.store.get(Individual, theirs.id)).shared


async def test_services_and_system_administrators_share_anything() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await a_person(world.store)
    for principal in (SYSTEM, SERVICE):
        individual, _ = await world.individuals.share(
            principal, (await world.individual_of(ann)).id, "organization", clinic, None
        )
        assert individual.shared
        await world.individuals.unshare(principal, individual.id, "organization", clinic)


async def test_others_may_not_share_and_may_not_know() -> None:
    world = World()
    clinic, ann, eve = await an_organization(world.store), await a_person(world.store), await a_person(world.store)
    individual = await world.individual_of(ann)
    for unseen in (individual.id, uuid4(), clinic):
        with pytest.raises(IndividualNotFound):
            await world.individuals.share(a_principal(eve.id), unseen, "organization", clinic, None)
    world.grants.allow(eve.id, individual.id, "read", "write")
    with pytest.raises(NotTheOwner):
        await world.individuals.share(a_principal(eve.id), individual.id, "organization", clinic, None)
    with pytest.raises(NotTheOwner):
        await world.individuals.unshare(a_principal(eve.id), individual.id, "organization", clinic)


async def test_unknown_parties_are_not_found() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await a_person(world.store)
    individual = await world.individual_of(ann)
    for party, unknown in (("user", uuid4()), ("user", clinic), ("organization", ann.id)):
        with pytest.raises(OwnerNotFound):
            await world.individuals.share(a_principal(ann.id), individual.id, party, unknown, "read")  # type: ignore[arg-type]
        with pytest.raises(OwnerNotFound):
            await world.individuals.unshare(a_principal(ann.id), individual.id, party, unknown)  # type: ignore[arg-type]


@pytest.mark.parametrize("at_the_same_time", [False, True])
async def test_the_individual_of_a_provider_is_not_shared(*, at_the_same_time: bool) -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await a_person(world.store)
    individual_id = (await world.individual_of(ann)).id
    if at_the_same_time:
        world.store.meanwhile = lambda: world.become_provider(ann, clinic)
    else:
        await world.become_provider(ann, clinic)
    with pytest.raises(ProvidersIndividual):
        await world.individuals.share(a_principal(ann.id), individual_id, "organization", clinic, None)


async def test_nothing_is_shared_with_or_owned_by_an_archived_user() -> None:
    world = World()
    ann, bob = await a_person(world.store), await a_person(world.store)
    bob.archived = True
    world.store.streams[bob.id] = bob
    with pytest.raises(InvalidState):
        await world.individuals.share(a_principal(ann.id), (await world.individual_of(ann)).id, "user", bob.id, "read")
    with pytest.raises(InvalidState):
        await world.individuals.create(SERVICE, uuid4(), bob.id)


async def test_unsharing_removes_an_individual_from_groups_in_one_append() -> None:
    world = World()
    clinic, other, ann = (
        await an_organization(world.store),
        await an_organization(world.store, "other"),
        await a_person(world.store),
    )
    individual = await world.individual_of(ann)
    for organization in (clinic, other):
        await world.individuals.share(a_principal(ann.id), individual.id, "organization", organization, None)
    here, there = await world.place(individual.id, clinic), await world.place(individual.id, other)
    before = len(world.store.events)
    unshared, position = await world.individuals.unshare(a_principal(ann.id), individual.id, "organization", clinic)
    assert position == before + 2
    assert set(unshared.organizations) == {other}
    assert (await world.taken(here), await world.taken(there)) == (False, True)
    _, again = await world.individuals.unshare(a_principal(ann.id), individual.id, "organization", clinic)
    assert again == position


async def test_unsharing_from_the_owner_changes_no_groups() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await a_person(world.store)
    theirs, _ = await world.individuals.create(SERVICE, uuid4(), clinic)
    entry = await world.place(theirs.id, clinic)
    world.grants.allow(ann.id, clinic, "write")
    await world.individuals.unshare(a_principal(ann.id), theirs.id, "organization", clinic)
    assert await world.taken(entry)


async def test_another_owner_takes_it_out_of_the_former_owners_groups() -> None:
    world = World()
    clinic, ann = await an_organization(world.store), await a_person(world.store)
    theirs, _ = await world.individuals.create(SERVICE, uuid4(), clinic)
    entry = await world.place(theirs.id, clinic)
    moved, position = await world.individuals.change_owner(SERVICE, theirs.id, ann.id)
    assert (moved.owner_type, moved.owner_id) == ("user", ann.id)
    assert not await world.taken(entry)
    assert await world.individuals.change_owner(SERVICE, theirs.id, ann.id) == (moved, position)


async def test_a_new_owner_keeps_entries_in_organizations_with_a_share() -> None:
    world = World()
    clinic, other = await an_organization(world.store), await an_organization(world.store, "other")
    theirs, _ = await world.individuals.create(SERVICE, uuid4(), clinic)
    theirs.share("organization", other)
    await world.store.save(theirs)
    entry = await world.place(theirs.id, other)
    await world.individuals.change_owner(SERVICE, theirs.id, other)
    assert await world.taken(entry)


async def test_a_shared_individual_does_not_become_a_providers() -> None:
    individual = Individual.create(uuid4(), "user", uuid4())
    individual.share("user", uuid4(), "read")
    with pytest.raises(InvalidState):
        individual.mark_provider(provider=True)
