from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from domain.organizations.organizations import Organization, OrganizationNameTaken, Organizations
from domain.organizations.themes import Theme, ThemeFields
from projections.core.visibility import viewer
from projections.organizations import organizations
from projections.organizations.organizations import OrganizationFilter, OrganizationRow
from tests.support.plans import touched
from tests.support.world.principals import EVERYTHING, SYSTEM
from tests.support.world.read_models import EVERYTHING_SEEN, ReadModels, read_models

ALL = OrganizationFilter()


async def page(
    world: ReadModels, wanted: OrganizationFilter = ALL, caller: UUID | None = None, *, limit: int = 25, offset: int = 0
) -> tuple[list[OrganizationRow], int]:
    """Return a page as the caller sees it, or as an unlimited caller does."""
    looking = EVERYTHING_SEEN if caller is None else await viewer(world.cursor, caller)
    return await organizations.organizations(world.cursor, looking, wanted, limit=limit, offset=offset)


async def names(world: ReadModels, wanted: OrganizationFilter = ALL, caller: UUID | None = None) -> list[str]:
    rows, total = await page(world, wanted, caller)
    assert total == len(rows)
    return [row.name for row in rows]


async def test_a_name_is_taken_once(database_url: str) -> None:
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        with pytest.raises(OrganizationNameTaken) as refused:
            await world.organization("clinic")
        assert refused.value.argument == "name"
        other = await world.organization("other")
        with pytest.raises(OrganizationNameTaken):
            await world.change(other, name="clinic")
        await world.change(clinic, name="renamed")
        await world.change(other, name="clinic")


async def test_the_row_follows_every_change(database_url: str) -> None:
    async with read_models(database_url) as world:
        theme = Theme.create(ThemeFields("care.example.org", "help@example.org"))
        await world.store.save(theme)
        clinic = await world.organization("clinic", "The clinic")
        await world.catch_up()
        await world.change(clinic, timezone="Europe/Vienna", theme_id=theme.id, authorization_type="open")
        changed, _ = await Organizations(world.store, EVERYTHING).change(SYSTEM, clinic, {"is_active": False})
        await world.catch_up()
        row = await organizations.organization(world.cursor, EVERYTHING_SEEN, clinic)
        assert row == OrganizationRow(
            organization_id=clinic,
            name="clinic",
            display_name="The clinic",
            classification="customer",
            provider_type="coach",
            timezone="Europe/Vienna",
            theme_id=theme.id,
            authorization_type="open",
            active=False,
            modified_at=changed.modified_on,
        )


async def test_pages_are_sorted_by_name_and_know_the_total(database_url: str) -> None:
    async with read_models(database_url) as world:
        for name in ("c", "a", "b", "d"):
            await world.organization(name)
        await world.change(await world.organization("e"), is_active=False)
        await world.catch_up()
        rows, total = await page(world, limit=2, offset=1)
        assert ([row.name for row in rows], total) == (["b", "c"], 4)
        assert await page(world, offset=4) == ([], 4)
        assert await names(world, OrganizationFilter(include_inactive=True)) == ["a", "b", "c", "d", "e"]


async def test_filters_all_hold(database_url: str) -> None:
    async with read_models(database_url) as world:
        for name in ("north-clinic", "south-clinic", "lab"):
            await world.organization(name)
        await world.change(await world.organization("old-clinic"), is_active=False)
        await world.catch_up()
        assert await names(world, OrganizationFilter(name="lab")) == ["lab"]
        assert await names(world, OrganizationFilter(name="la")) == []
        assert await names(world, OrganizationFilter(name_contains="CLINIC")) == ["north-clinic", "south-clinic"]
        assert await names(world, OrganizationFilter(name_contains="%")) == []
        assert await names(world, OrganizationFilter(name="lab", name_contains="clinic")) == []
        both = OrganizationFilter(name_contains="clinic", include_inactive=True)
        assert await names(world, both) == ["north-clinic", "old-clinic", "south-clinic"]


async def test_bounds_compare_and_order_by_the_time_of_change(database_url: str) -> None:
    async with read_models(database_url) as world:
        first, second = await world.organization("b"), await world.organization("a")
        await world.change(first, display_name="Changed")
        await world.catch_up()
        rows, _ = await page(world)
        changed = {row.name: row.modified_at for row in rows}
        long_ago = datetime.now(UTC) - timedelta(days=1)
        assert await names(world, OrganizationFilter(modified=[(">", long_ago)])) == ["a", "b"]
        assert await names(world, OrganizationFilter(modified=[(">", changed["a"])])) == ["b"]
        assert await names(world, OrganizationFilter(modified=[(">", long_ago), ("<", changed["b"])])) == ["a"]
        assert (await world.store.get(Organization, second)).modified_on == changed["a"]


async def test_providers_and_participants_see_their_organizations(
    database_url: str,
) -> None:
    async with read_models(database_url) as world:
        a, b, c = await world.organization("a"), await world.organization("b"), await world.organization("c")
        provider, participant = await world.provider(a, b), await world.participant(b, c)
        stranger = await world.participant()
        await world.catch_up()
        assert await names(world, caller=provider) == ["a", "b"]
        assert await names(world, caller=participant) == ["b", "c"]
        assert await names(world, caller=stranger) == []
        assert {row.whole for row in (await page(world, caller=provider))[0]} == {True}
        assert {row.whole for row in (await page(world, caller=participant))[0]} == {False}
        for caller, organization, visible in ((provider, a, True), (participant, a, False), (participant, c, True)):
            row = await organizations.organization(world.cursor, await viewer(world.cursor, caller), organization)
            assert (row is not None) is visible


async def test_providers_list_their_inactive_organization_on_request(database_url: str) -> None:
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        provider, participant = await world.provider(clinic), await world.participant(clinic)
        await world.change(clinic, is_active=False)
        await world.catch_up()
        inactive_too = OrganizationFilter(include_inactive=True)
        assert await names(world, caller=provider) == []
        assert await names(world, inactive_too, provider) == ["clinic"]
        assert await names(world, inactive_too, participant) == []


async def test_a_page_among_100_000_reads_few_blocks(database_url: str) -> None:
    """Blocks touched, not milliseconds: a sequential scan of the table would touch some 1,500."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("""
            INSERT INTO organizations SELECT gen_random_uuid(), 'o-' || n, 'O', 'customer', 'coach', 'UTC', null,
                   'restricted', true, now() + n * interval '1 second' FROM generate_series(1, 100000) n""")
        owner.execute("INSERT INTO organization_totals VALUES (true, 100000)")
        owner.execute("VACUUM ANALYZE organizations")
    async with read_models(database_url) as world:
        costs: list[int] = []
        for wanted, everything in ((ALL, True), (OrganizationFilter(name="o-777"), True), (ALL, False)):
            for statement in organizations.statements(wanted, everything=everything):
                parameters = {**wanted.parameters, "viewer": EVERYTHING_SEEN.user_id, "limit": 25, "offset": 50}
                costs.append(await touched(world.cursor, statement, parameters))
        assert max(costs) < 300
