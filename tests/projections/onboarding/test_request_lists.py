"""Lists of onboarding requests read little of a large table, and the read model follows every event."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import md5
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection, AsyncCursor

from adapters.postgres.session_settings import session_dsn
from domain.people.login_names import LoginName
from projections.onboarding.request_lists import RequestFilter, named_statement, statements
from tests.support.plans import touched

pytestmark = pytest.mark.slow

# 100,000 requests, half of them of the clinic
FILL = """
INSERT INTO onboarding_requests (request_id, organization_id, onboard_type, user_id, email, email_key, phone_key,
                                 username_key, provider_roles, created_at, invited, patient_id)
SELECT md5('request' || n)::uuid, md5('clinic' || CASE WHEN n % 2 = 0 THEN 0 ELSE n END)::uuid,
       CASE WHEN n % 10 = 0 THEN 'provider' ELSE 'patient' END, md5('user' || n)::uuid, n || '@p.test', n || '@p.test',
       '+' || n, 'name-' || n, '[]', now() - n * interval '1 s', true,
       CASE WHEN n % 2 = 0 THEN md5('individual' || n)::uuid END
FROM generate_series(1, 100000) n
"""
MOST = 60
MOST_COUNTED = 1_000
"""Blocks of the index for a total of 40,000; the table alone has 2,100."""


def a_uuid(name: str) -> UUID:
    return UUID(md5(name.encode()).hexdigest())


CLINIC = a_uuid("clinic0")


@asynccontextmanager
async def many_requests(database_url: str) -> AsyncIterator[AsyncCursor]:
    """Planned as for the product, whatever the server is set to."""
    dsn = session_dsn(database_url, "maintain")
    async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(FILL)
        await connection.execute("VACUUM ANALYZE")
        yield connection.cursor()


async def test_lists_read_few_blocks_of_many_requests(database_url: str) -> None:
    async with many_requests(database_url) as cursor:
        window: dict[str, Any] = {"limit": 100, "offset": 100}
        for chosen in (
            RequestFilter(CLINIC, "patient"),
            RequestFilter(CLINIC, "provider"),
            RequestFilter(CLINIC, "patient", email="4@p.test"),
            RequestFilter(CLINIC, "patient", patients=[a_uuid(f"individual{n}") for n in range(0, 20, 2)]),
        ):
            page, count = statements(chosen)
            assert await touched(cursor, page, chosen.parameters() | window) < 4 * MOST, chosen
            assert await touched(cursor, count, chosen.parameters()) < MOST_COUNTED, chosen


async def test_a_name_is_looked_up_in_an_index(database_url: str) -> None:
    async with many_requests(database_url) as cursor:
        for name in (LoginName("email", "77@p.test"), LoginName("phone", "+77"), LoginName("username", "name-77")):
            assert await touched(cursor, named_statement(name, claimed=False), {"key": name.key}) < MOST
