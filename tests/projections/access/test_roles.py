from uuid import UUID, uuid4

from projections.access import roles
from projections.organizations.access import Reads
from tests.projections.people.tenants import NOBODY, Tenants, tenants


async def organization_ids(
    world: Tenants, caller: UUID | None = None, organization: UUID | None = None, reads: Reads | None = None
) -> list[UUID]:
    reads = reads or ("all" if caller is None else "own")
    rows = await roles.roles(
        world.cursor, caller or NOBODY, reads=reads, organization_id=organization, name="org.admin"
    )
    return sorted(row.organization_id for row in rows)


async def test_roles_are_those_of_organizations_that_the_caller_may_read(database_url: str) -> None:
    async with tenants(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        provider, participant = await world.provider(a), await world.participant(a)
        await world.catch_up()
        assert await organization_ids(world) == sorted([a.id, b.id])
        assert await organization_ids(world, provider.id) == [a.id]
        assert await organization_ids(world, participant.id) == []
        assert await organization_ids(world, provider.id, b.id) == []
        assert await organization_ids(world, organization=b.id) == [b.id]


async def test_a_role_knows_its_organization_by_its_present_name(database_url: str) -> None:
    async with tenants(database_url) as world:
        clinic = await world.organization("clinic")
        await world.change(clinic, name="renamed", display_name="Renamed")
        await world.catch_up()
        (row,) = await roles.roles(world.cursor, NOBODY, reads="all")
        assert (row.name, row.display_name) == ("org.admin", "Organization administrator")
        assert (row.organization_name, row.organization_display_name) == ("renamed", "Renamed")
        assert await roles.roles(world.cursor, NOBODY, reads="all", name="org") == []
        assert await roles.organization_of(world.cursor, row.role_id) == clinic.id
        assert await roles.organization_of(world.cursor, uuid4()) is None


async def test_an_inactive_organization_shows_its_roles_to_those_only_who_see_everything(database_url: str) -> None:
    async with tenants(database_url) as world:
        clinic = await world.organization("clinic")
        provider = await world.provider(clinic)
        await world.change(clinic, active=False)
        await world.catch_up()
        open_ = await world.organization("open")
        await world.catch_up()
        assert await organization_ids(world, provider.id) == []
        assert await organization_ids(world, reads="active") == [open_.id]
        assert await organization_ids(world) == sorted([clinic.id, open_.id])
