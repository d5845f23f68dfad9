"""Lists of registration invitations read what they show, not the table (decision 0042)."""

from hashlib import md5
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from adapters.postgres.session_settings import session_dsn
from projections.onboarding.registration_invitations import page
from tests.support.plans import fetched

pytestmark = pytest.mark.slow

# 100,000 invitations, ten of each organization
FILL = """
INSERT INTO registration_invitations (id, organization_id, invited_email, address, created_by, created_at)
SELECT md5('invitation' || n)::uuid, md5('clinic' || n % 10000)::uuid, n || '@p.test', sha256(n::text::bytea),
       md5('admin')::uuid, now() - n * interval '1 s'
FROM generate_series(1, 100000) n
"""


def a_uuid(name: str) -> UUID:
    return UUID(md5(name.encode()).hexdigest())


async def test_lists_of_many_invitations_read_what_they_show(database_url: str) -> None:
    async with await AsyncConnection.connect(session_dsn(database_url, "maintain"), autocommit=True) as connection:
        await connection.execute(FILL)
        await connection.execute("VACUUM ANALYZE registration_invitations")
        async with connection.transaction():
            cursor = connection.cursor()
            shown = await page(cursor, [a_uuid("clinic1"), a_uuid("clinic2")])
            assert (len(shown), await fetched(cursor)) == (20, 20)
            assert len(await page(cursor, None)) == 10_000
            assert await fetched(cursor) == 10_020
