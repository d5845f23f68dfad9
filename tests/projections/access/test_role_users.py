from domain.access.roles import Role
from projections.access import role_users
from tests.support.world.read_models import read_models


async def test_holders_are_numbered_and_a_role_given_again_gets_another_number(database_url: str) -> None:
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        ann, bob = await world.provider(clinic, email="ann@example.test"), await world.provider(clinic)
        role_id = await world.grant(clinic, ann, bob)
        await world.catch_up()
        rows, total = await role_users.role_users(world.cursor, role_id, limit=10, offset=0)
        assert [row.user_id for row in rows] == sorted([ann, bob])
        assert (total, len({row.number for row in rows})) == (2, 2)
        before = await role_users.role_user(world.cursor, role_id, ann)
        assert before is not None
        assert (before.role_name, before.email) == ("org.admin", "ann@example.test")
        role = await world.store.get(Role, role_id)
        role.revoke(ann)
        await world.store.save(role)
        assert await role_users.role_user(world.cursor, role_id, ann) is None
        await world.grant(clinic, ann)
        after = await role_users.role_user(world.cursor, role_id, ann)
        assert after is not None
        assert after.number > max(row.number for row in rows)


async def test_taken_and_given_again_in_one_append_is_the_later_grant(database_url: str) -> None:
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        ann, bob = await world.provider(clinic), await world.provider(clinic)
        role_id = await world.grant(clinic, ann, bob)
        role = await world.store.get(Role, role_id)
        role.revoke(ann)
        role.grant(ann, live=True)
        position = await world.store.save(role)
        row = await role_users.role_user(world.cursor, role_id, ann)
        assert row is not None
        assert row.number == position


async def test_pages(database_url: str) -> None:
    async with read_models(database_url) as world:
        clinic = await world.organization("clinic")
        users = [await world.provider(clinic) for _ in range(5)]
        role_id = await world.grant(clinic, *users)
        rows, total = await role_users.role_users(world.cursor, role_id, limit=2, offset=3)
        assert ([row.user_id for row in rows], total) == (sorted(user for user in users)[3:], 5)
