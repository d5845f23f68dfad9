from uuid import UUID

import pytest

from domain.organizations.organizations import Organization, OrganizationNameTaken, Organizations
from tests.support.world.principals import EVERYTHING, SYSTEM
from tests.support.world.read_models import ReadModels, read_models


async def stored(world: ReadModels) -> dict[UUID, tuple[str, str]]:
    await world.cursor.execute("SELECT organization_id, name, display_name FROM organization_names")
    return {row[0]: (row[1], row[2]) for row in await world.cursor.fetchall()}


async def test_both_names_are_there_with_the_answer(database_url: str) -> None:
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic", "The clinic")
        assert await stored(world) == {clinic: ("clinic", "The clinic")}
        await world.change(clinic, display_name="Another")
        assert await stored(world) == {clinic: ("clinic", "Another")}


async def test_a_refused_organization_leaves_nothing(database_url: str) -> None:
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        head = await world.store.head()
        with pytest.raises(OrganizationNameTaken):
            await Organizations(world.store, EVERYTHING).create(SYSTEM, "clinic")
        assert (await stored(world), await world.store.head()) == ({clinic: ("clinic", "clinic")}, head)
        assert await world.store.find(Organization, clinic) is not None
