from uuid import uuid4

import pytest

from domain.core.errors import LostRace
from domain.groups.rosters import RosterEntry
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


async def test_an_organization_that_has_no_more_part_in_it_keeps_no_place_for_it(database_url: str) -> None:
    """The race of unsharing against placing: whoever comes second decides again (ruling A4)."""
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        individual_id = await world.patient(clinic)
        await world.store.save(RosterEntry.add(uuid4(), clinic, "individual", individual_id))
        individual = await world.store.get(Individual, individual_id)
        individual.unshare("organization", clinic)
        with pytest.raises(LostRace):
            await world.store.save(individual)


async def test_an_organization_that_somebody_left_keeps_no_seat_for_him(database_url: str) -> None:
    """The same of leaving an organization against being seated in its groups."""
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        ann = await world.provider(clinic)
        await world.store.save(RosterEntry.add(uuid4(), clinic, "leader", ann))
        user = await world.store.get(User, ann)
        user.leave(clinic)
        with pytest.raises(LostRace):
            await world.store.save(user)
