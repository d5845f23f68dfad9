"""Sessions, unconfirmed users and the system role."""

from uuid import uuid4

from domain.access.roles import Role
from domain.core.ports import AccessQuery
from domain.organizations.organizations import Organization
from domain.people.individuals import Individual
from domain.people.users import User
from projections.access.checks import decide, decide_many
from tests.projections.access.test_authorization import a_log, a_user


async def test_sessions_end_where_the_last_disabling_stands(database_url: str) -> None:
    user = a_user()
    async with a_log(database_url) as log:
        await log.save(user)
        assert await log.rows("SELECT live, sessions_ended_at_position FROM access_users") == [(True, 0)]
        user.disable()
        await log.save(user)
        ended = log.position
        assert await log.rows("SELECT live, sessions_ended_at_position FROM access_users") == [(False, ended)]
        user.enable()
        await log.save(user)
        assert await log.rows("SELECT live, sessions_ended_at_position FROM access_users") == [(True, ended)]


async def test_an_unconfirmed_user_has_no_access(database_url: str) -> None:
    user = User.create(uuid4(), classification="customer", individual_id=None)
    mine = Individual.create(uuid4(), "user", user.id)
    query = AccessQuery("individual", mine.id, "write")
    async with a_log(database_url) as log, log.connection.cursor() as cursor:
        await log.save(user, mine)
        user.set_password("hashed")
        await log.save(user)
        assert await decide(cursor, user.id, [query]) == [False]
        user.confirm()
        await log.save(user)
        assert await decide(cursor, user.id, [query]) == [True]


async def test_the_system_role_counts_for_staff_only(database_url: str) -> None:
    operator = Organization.create(
        uuid4(), "operator", display_name="Operator", classification="carium", provider_type="coach", timezone="UTC"
    )
    staff, customer = (User.create(uuid4(), classification=c, individual_id=None) for c in ("carium", "customer"))
    role = Role.create(operator.id, "carium.admin", "System administrator")
    for user in (staff, customer):
        user.confirm()
        user.join(operator.id)
        role.grant(user.id, live=True)
    queries = [AccessQuery("system", "x", "write"), AccessQuery("system", "x", "read")]
    async with a_log(database_url) as log, log.connection.cursor() as cursor:
        await log.save(operator, staff, customer, role)
        assert (await decide_many(cursor, [staff.id, customer.id], queries)).allowed == [[True, True], [False, False]]
        role.revoke(customer.id)
        role._revoked(staff.id)
        await log.save(role)
        assert await decide(cursor, staff.id, queries) == [False, True]
