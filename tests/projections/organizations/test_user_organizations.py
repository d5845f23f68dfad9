from uuid import UUID

from domain.people.users import User
from projections.core.visibility import viewer
from projections.organizations import user_organizations
from tests.support.world.read_models import EVERYTHING_SEEN, ReadModels, read_models

Pair = tuple[UUID, UUID]


async def pairs(
    world: ReadModels,
    caller: UUID | None = None,
    *,
    user: UUID | None = None,
    organization: UUID | None = None,
    limit: int = 100,
    offset: int = 0,
) -> tuple[list[Pair], int]:
    rows, total = await user_organizations.user_organizations(
        world.cursor,
        await viewer(world.cursor, caller) if caller else EVERYTHING_SEEN,
        user_id=user or None,
        organization_id=organization or None,
        limit=limit,
        offset=offset,
    )
    return [(row.user_id, row.organization_id) for row in rows], total


async def test_memberships_are_sorted_counted_and_named(database_url: str) -> None:
    async with read_models(database_url) as world:
        a, b = await world.organization("a", "A"), await world.organization("b")
        ann, bob = await world.provider(a, b), await world.provider(a)
        await world.participant(a)
        assert await pairs(world, organization=a) == (sorted([(ann, a), (bob, a)]), 2)
        of_ann = sorted([(ann, a), (ann, b)])
        assert await pairs(world, user=ann) == (of_ann, 2)
        assert await pairs(world, user=ann, limit=1, offset=1) == (of_ann[1:], 2)
        assert await pairs(world, user=bob, organization=b) == ([], 0)
        rows, _ = await user_organizations.user_organizations(
            world.cursor, EVERYTHING_SEEN, user_id=ann, organization_id=a, limit=1, offset=0
        )
        assert (rows[0].name, rows[0].display_name, rows[0].organizations) == ("a", "A", 2)


async def test_a_provider_reads_memberships_of_their_organizations(database_url: str) -> None:
    async with read_models(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        ann, bob, participant = await world.provider(a, b), await world.provider(a), await world.participant(a)
        assert await pairs(world, bob, user=ann) == ([(ann, a)], 1)
        assert await pairs(world, bob, organization=b) == ([], 0)
        assert await pairs(world, participant, organization=a) == ([], 0)
        await world.change(a, is_active=False)
        assert await pairs(world, bob, user=ann) == ([], 0)
        assert await pairs(world, bob, user=bob) == ([(bob, a)], 1)


async def test_a_former_member_is_not_listed(database_url: str) -> None:
    async with read_models(database_url) as world:
        a = await world.organization("a")
        ann = await world.provider(a)
        user = await world.store.get(User, ann)
        user.leave(a)
        await world.store.save(user)
        assert await pairs(world, user=ann) == ([], 0)
