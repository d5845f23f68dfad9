"""What requests do with database connections.

A request never waits for a connection while it holds one: few of them and many callers would make a stand-still.
"""

import asyncio
from uuid import uuid4

from tests.support.world import a_world, role_id

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


async def test_what_is_prepared_stays_prepared_from_read_to_read(database_url: str) -> None:
    """psycopg forgets it at a ROLLBACK; planning takes ten times as long as most of our statements do."""
    async with a_world(database_url, pool_size=2) as world:
        clinic = await world.organization()
        individual = await world.individual(clinic)
        for _ in range(12):  # psycopg prepares what it meets the sixth time
            await world.get(f"/v1/individuals/{individual}/", world.service)
        pool = world.services.pool
        async with pool.connection() as first, pool.connection() as second:
            prepared = [
                await (await connection.execute("SELECT statement FROM pg_prepared_statements")).fetchall()
                for connection in (first, second)
            ]
        assert any("SELECT owner_id FROM access_individuals" in text for rows in prepared for (text,) in rows)
