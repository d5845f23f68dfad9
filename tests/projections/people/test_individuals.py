from uuid import uuid4

import pytest

from domain.core.errors import LostRace
from domain.groups.rosters import RosterEntry, RosterKind
from domain.people.individuals import Individual
from domain.people.users import User
from projections.core.visibility import Viewer
from projections.people import individuals
from projections.people.individuals import ShareRow
from tests.support.world.read_models import read_models

EVERYTHING = Viewer(uuid4(), unlimited=True)


async def test_owner_and_shares_are_known_at_once(database_url: str) -> None:
    async with read_models(database_url) as world:
        clinic, other = await world.organization("clinic"), await world.organization("other")
        ann = await world.participant()
        individual = Individual.create(uuid4(), "organization", clinic)
        individual.share("organization", other)
        individual.share("user", ann, "read")
        await world.store.save(individual)
        assert await individuals.owner_of(world.cursor, individual.id) == clinic
        assert await individuals.shares_of(world.cursor, individual.id, EVERYTHING) == [
            ShareRow("organization", other, None),
            ShareRow("user", ann, "read"),
        ]
        individual.share("user", ann, "write")
        individual.unshare("organization", other)
        await world.store.save(individual)
        assert await individuals.shares_of(world.cursor, individual.id, EVERYTHING) == [ShareRow("user", ann, "write")]


async def test_an_unknown_individual_has_no_owner(database_url: str) -> None:
    async with read_models(database_url) as world:
        assert await individuals.owner_of(world.cursor, uuid4()) is None
        assert await individuals.shares_of(world.cursor, uuid4(), EVERYTHING) == []


@pytest.mark.parametrize("kind", ["individual", "leader"])
async def test_a_person_with_a_roster_entry_cannot_leave_the_organization(database_url: str, kind: RosterKind) -> None:
    """A command that adds the entry at the same time makes the other command decide again (ruling A4)."""
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        person_id = await (world.patient(clinic) if kind == "individual" else world.provider(clinic))
        await world.store.save(RosterEntry.add(uuid4(), clinic, kind, person_id))
        person: Individual | User
        if kind == "individual":
            person = await world.store.get(Individual, person_id)
            person.unshare("organization", clinic)
        else:
            person = await world.store.get(User, person_id)
            person.leave(clinic)
        with pytest.raises(LostRace):
            await world.store.save(person)
