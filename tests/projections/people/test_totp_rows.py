"""The read model of TOTP configurations, among those of 100,000 users."""

from uuid import UUID, uuid4

from psycopg import AsyncConnection

from domain.people.totp import TotpConfigurations
from projections.people.totp import (
    CONFIGURATION,
    CONFIGURATIONS_OF,
    OWNER_OF,
    TotpProjection,
    configuration,
    configurations_of,
)
from tests.support.plans import touched
from tests.support.stores import a_store

MANY_CONFIGURATIONS = """
INSERT INTO totp_configurations (configuration_id, user_id, created_at)
SELECT md5('configuration' || number)::uuid, md5('user' || number % 50000)::uuid, now()
FROM generate_series(1, 100000) number
"""
MANY_USES = "INSERT INTO totp_uses SELECT configuration_id, now() FROM totp_configurations"


async def test_the_rows_follow_what_happens_to_configurations(database_url: str) -> None:
    async with (
        a_store(database_url, projections=[TotpProjection()]) as store,
        await AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        cursor = connection.cursor()
        totp, first, second = TotpConfigurations.create(uuid4()), uuid4(), uuid4()
        totp.add(first, "SECRET")
        totp.add(second, "SECRET")
        totp.enable(first, 1, ["a", "b", "c"])
        await store.save(totp)
        assert totp.use_recovery_code("a")
        await store.save(totp)
        row = await configuration(cursor, first)
        assert row is not None
        assert (row.enabled_before, row.recovery_codes_left) == (True, 2)
        assert row.last_used_at == totp.modified_on
        totp.disable(first)
        totp.remove(second)
        await store.save(totp)
        (row,) = await configurations_of(cursor, totp.user_id)
        assert (row.configuration_id, row.enabled_at, row.enabled_before) == (first, None, True)
        assert row.recovery_codes_left == 0
        assert await configuration(cursor, second) is None


async def test_configurations_are_found_by_index(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        cursor = connection.cursor()
        for statement in (MANY_CONFIGURATIONS, MANY_USES, "ANALYZE totp_configurations, totp_uses"):
            await cursor.execute(statement.encode())
        await cursor.execute("SELECT configuration_id, user_id FROM totp_configurations LIMIT 1")
        found = await cursor.fetchone()
        assert found is not None
        subjects: tuple[UUID, UUID] = (found[0], found[1])
        for statement, subject in (
            (CONFIGURATIONS_OF, subjects[1]),
            (CONFIGURATION, subjects[0]),
            (OWNER_OF, subjects[0]),
        ):
            assert await touched(cursor, statement, [subject]) < 30, statement
