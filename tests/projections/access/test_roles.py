from uuid import UUID, uuid4

from domain.access.roles import role_id
from projections.access import roles
from projections.core.visibility import Viewer, viewer
from tests.support.world.read_models import EVERYTHING_SEEN, UNKNOWN, ReadModels, read_models


async def organization_ids(
    world: ReadModels, caller: UUID | None = None, organization: UUID | None = None, looking: Viewer = EVERYTHING_SEEN
) -> list[UUID]:
    if caller is not None:
        looking = await viewer(world.cursor, caller)
    rows = await roles.roles(world.cursor, looking, organization_id=organization, name="org.admin")
    return sorted(row.organization_id for row in rows)


async def test_roles_are_those_of_organizations_that_the_caller_may_read(database_url: str) -> None:
    async with read_models(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        provider, participant = await world.provider(a), await world.participant(a)
        await world.catch_up()
        assert await organization_ids(world) == sorted([a, b])
        assert await organization_ids(world, provider) == [a]
        assert await organization_ids(world, participant) == []
        assert await organization_ids(world, provider, b) == []
        assert await organization_ids(world, organization=b) == [b]


async def test_a_role_knows_its_organization_by_its_present_name(database_url: str) -> None:
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        await world.change(clinic, name="renamed", display_name="Renamed")
        await world.catch_up()
        (row,) = await roles.roles(world.cursor, EVERYTHING_SEEN)
        assert (row.name, row.display_name) == ("org.admin", "Organization administrator")
        assert (row.organization_name, row.organization_display_name) == ("renamed", "Renamed")
        assert await roles.roles(world.cursor, EVERYTHING_SEEN, name="org") == []


async def test_a_role_is_shown_to_those_who_may_read_its_organization(database_url: str) -> None:
    async with read_models(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        provider, participant = await world.provider(a), await world.participant(a)
        for looking in (EVERYTHING_SEEN, await viewer(world.cursor, provider)):
            assert await roles.is_shown(world.cursor, looking, role_id(a, "org.admin"))
            assert not await roles.is_shown(world.cursor, looking, uuid4())
        assert not await roles.is_shown(world.cursor, looking, role_id(b, "org.admin"))
        stranger = await viewer(world.cursor, participant)
        assert not await roles.is_shown(world.cursor, stranger, role_id(a, "org.admin"))


async def test_roles_of_inactive_organizations_are_shown_to_unlimited_callers(database_url: str) -> None:
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        provider = await world.provider(clinic)
        await world.change(clinic, is_active=False)
        await world.catch_up()
        open_ = await world.organization("open")
        await world.catch_up()
        assert await organization_ids(world, provider) == []
        assert await organization_ids(world, looking=Viewer(UNKNOWN, staff=True)) == [open_]
        assert await organization_ids(world) == sorted([clinic, open_])
