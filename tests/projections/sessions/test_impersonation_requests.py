"""Lists of impersonation requests with many requests."""

from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from projections.sessions import impersonation_requests
from tests.support.plans import touched

MANY = 100_000
MOST = 60
"""Blocks of the cache that a filtered list may touch."""


async def test_filtered_lists_of_many_requests_read_few_blocks(database_url: str) -> None:
    user, creator = uuid4(), uuid4()
    async with await AsyncConnection.connect(database_url, autocommit=True, row_factory=tuple_row) as connection:
        await connection.execute(
            "INSERT INTO impersonation_requests SELECT gen_random_uuid(),"
            " CASE WHEN n %% 20000 = 0 THEN %s ELSE gen_random_uuid() END,"
            " CASE WHEN n %% 20000 = 0 THEN %s ELSE gen_random_uuid() END, now() - n * interval '1 s', false"
            " FROM generate_series(1, %s) n",
            [user, creator, MANY],
        )
        await connection.execute("ANALYZE impersonation_requests")
        cursor = connection.cursor()
        given = {"user_id": user, "created_by": creator, "user_email": "ann@people.test"}
        for condition in impersonation_requests.CONDITIONS:
            statement = f"{impersonation_requests.ALL} AND {condition}{impersonation_requests.ORDER}"
            assert await touched(cursor, statement, given) < MOST, condition
