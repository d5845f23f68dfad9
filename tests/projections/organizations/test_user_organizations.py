from uuid import UUID

from domain.organizations.organizations import Organization
from domain.people.users import User
from projections.core.visibility import viewer
from projections.organizations import user_organizations
from tests.support.world.tenants import EVERYTHING_SEEN, Tenants, tenants

Pair = tuple[UUID, UUID]


async def pairs(
    world: Tenants,
    caller: User | None = None,
    *,
    user: User | None = None,
    organization: Organization | None = None,
    limit: int = 100,
    offset: int = 0,
) -> tuple[list[Pair], int]:
    rows, total = await user_organizations.user_organizations(
        world.cursor,
        await viewer(world.cursor, caller.id) if caller else EVERYTHING_SEEN,
        user_id=user.id if user else None,
        organization_id=organization.id if organization else None,
        limit=limit,
        offset=offset,
    )
    return [(row.user_id, row.organization_id) for row in rows], total


async def test_memberships_are_sorted_counted_and_named(database_url: str) -> None:
    async with tenants(database_url) as world:
        a, b = await world.organization("a", "A"), await world.organization("b")
        ann, bob = await world.provider(a, b), await world.provider(a)
        await world.participant(a)
        assert await pairs(world, organization=a) == (sorted([(ann.id, a.id), (bob.id, a.id)]), 2)
        of_ann = sorted([(ann.id, a.id), (ann.id, b.id)])
        assert await pairs(world, user=ann) == (of_ann, 2)
        assert await pairs(world, user=ann, limit=1, offset=1) == (of_ann[1:], 2)
        assert await pairs(world, user=bob, organization=b) == ([], 0)
        rows, _ = await user_organizations.user_organizations(
            world.cursor, EVERYTHING_SEEN, user_id=ann.id, organization_id=a.id, limit=1, offset=0
        )
        assert (rows[0].name, rows[0].display_name, rows[0].organizations) == ("a", "A", 2)


async def test_a_provider_reads_his_own_and_those_of_his_organizations(database_url: str) -> None:
    async with tenants(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        ann, bob, participant = await world.provider(a, b), await world.provider(a), await world.participant(a)
        assert await pairs(world, bob, user=ann) == ([(ann.id, a.id)], 1)
        assert await pairs(world, bob, organization=b) == ([], 0)
        assert await pairs(world, participant, organization=a) == ([], 0)
        await world.change(a, is_active=False)
        assert await pairs(world, bob, user=ann) == ([], 0)
        assert await pairs(world, bob, user=bob) == ([(bob.id, a.id)], 1)


async def test_who_left_is_not_listed(database_url: str) -> None:
    async with tenants(database_url) as world:
        a = await world.organization("a")
        ann = await world.provider(a)
        ann.leave(a.id)
        await world.store.save(ann)
        assert await pairs(world, user=ann) == ([], 0)
