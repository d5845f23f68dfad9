"""What requests do with database connections.

A request never waits for a connection while it holds one: few of them and many callers would make a stand-still.
"""

import asyncio
from datetime import datetime
from uuid import uuid4

import psycopg
from psycopg_pool import AsyncConnectionPool

from tests.support.stores import waits_for_a_lock
from tests.support.world.product import PASSWORD, a_world, role_id

CALLERS = 12


async def test_many_callers_share_two_connections(database_url: str) -> None:
    async with a_world(database_url, pool_size=2) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        owner = {"owner-id": str(clinic)}
        bodies = [
            {"data": {"type": "individuals", "attributes": {"individual-id": str(uuid4()), **owner}}}
            for _ in range(CALLERS)
        ]
        role = {"role-id": str(role_id(clinic, "org.admin"))}
        async with asyncio.timeout(20):  # a connection is waited for as long
            await asyncio.gather(*(world.post("/v1/individuals/", each, world.service) for each in bodies))
            await asyncio.gather(*(world.get("/v1/role-users/", admin, **role) for _ in range(CALLERS)))


async def test_statements_stay_prepared_between_reads(database_url: str) -> None:
    """psycopg forgets it at the first ROLLBACK after something was prepared, and then at each.

    Planning takes ten times as long as most of our statements do.
    """
    async with a_world(database_url, pool_size=2, position_wait=0.2) as world:
        individual = await world.individual(await world.organization())
        pool = world.services.pool
        async with pool.connection():  # held, so that all reads use the other one
            async with pool.connection() as other:
                await other.close()  # and that one is new: it begins with a statement to be prepared
            for _ in range(12):  # psycopg prepares what it meets the sixth time
                await world.get(f"/v1/individuals/{individual}/", world.service)
            before = await prepared(pool)
            await world.get(f"/v1/individuals/{individual}/", world.service)
            assert await prepared(pool) == before
            ahead = world.service.bearer | {"X-At-Least-Position": str(2**63 - 1)}
            answer = await world.client.get(f"/v1/individuals/{individual}/", headers=ahead)
            assert answer.status_code == 503  # after it had looked
            assert await prepared(pool) >= before
        assert any("SELECT owner_id FROM access_individuals" in statement for statement, _ in before)


async def prepared(pool: AsyncConnectionPool) -> set[tuple[str, datetime]]:
    """What the next connection of the pool has prepared, and when."""
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT statement, prepare_time FROM pg_prepared_statements")
        return set(await cursor.fetchall())


END_SESSIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND {}
"""


async def test_no_request_fails_after_the_database_restarted_while_idle(database_url: str) -> None:
    async with (
        a_world(database_url) as world,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        clinic = await world.organization()
        admin = await world.admin(clinic, "ann@people.test")
        reads = ["/v1/organizations/", f"/v1/users/?organization-id={clinic}", "/v2/individual-groups/"]

        async def ask(path: str) -> int:
            return (await world.client.get(path, headers=admin.bearer)).status_code

        async def command() -> int:
            attributes = {"name": "ward", "organization-id": str(clinic)}
            body = {"data": {"type": "individual-groups", "attributes": attributes}}
            key = admin.bearer | {"Idempotency-Key": str(uuid4())}
            return (await world.client.post("/v1/individual-groups/", json=body, headers=key)).status_code

        async def sign_in() -> int:
            body = {"username": "ann@people.test", "password": PASSWORD}
            return (await world.client.post("/v1/login/", json=body)).status_code

        for _ in range(2):
            told = await asyncio.gather(*(ask(path) for path in reads * 4), command(), sign_in())
            assert set(told) <= {200, 201}, told
            await world.catch_up()
            await owner.execute(END_SESSIONS.format("true").encode())


async def test_a_read_that_loses_its_connection_uses_another(database_url: str) -> None:
    async with a_world(database_url) as world, await psycopg.AsyncConnection.connect(database_url) as owner:
        individual = await world.individual(await world.organization())
        await world.catch_up()
        await owner.execute("LOCK TABLE access_individuals")
        reading = asyncio.create_task(world.client.get(f"/v1/individuals/{individual}/", headers=world.service.bearer))
        await waits_for_a_lock(database_url)
        await owner.execute(END_SESSIONS.format("wait_event_type = 'Lock'").encode())
        await owner.rollback()
        assert (await reading).status_code == 200
