"""What is recorded stays as it is: the application's own role can neither change nor delete it."""

from uuid import uuid4

import psycopg
import pytest

from domain.roles import Role
from domain.users import User
from tests.support.stores import a_pool, a_store

FOREVER = {
    "events": ("UPDATE events SET topic = 'x'", "DELETE FROM events", "TRUNCATE events"),
    "session_events": (
        "UPDATE session_events SET topic = 'x'",
        "DELETE FROM session_events",
        "TRUNCATE session_events",
    ),
    "snapshots": ("UPDATE snapshots SET state = ''", "TRUNCATE snapshots"),
    "session_snapshots": ("UPDATE session_snapshots SET state = ''", "TRUNCATE session_snapshots"),
    "log_head": ("DELETE FROM log_head", "TRUNCATE log_head", "INSERT INTO log_head VALUES ('another', 0)"),
    "data_keys": ("DELETE FROM data_keys", "TRUNCATE data_keys"),
}


@pytest.mark.parametrize("statement", [each for statements in FOREVER.values() for each in statements])
async def test_the_applications_role_cannot_change_what_is_recorded(database_url: str, statement: str) -> None:
    async with a_store(database_url) as store, a_pool(database_url) as pool:
        await store.save(
            Role(organization_id=uuid4(), name="org.admin", display_name="org.admin"),
            User.create(uuid4(), classification="customer", individual_id=None, email="ada@example.org"),
        )
        async with pool.connection() as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement.encode())


def test_the_applications_role_owns_nothing_and_has_no_way_around(database_url: str) -> None:
    """Owners may do everything; triggers, rules and new tables in front of the log would be ways around."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            """
            SELECT relname FROM pg_class WHERE relowner = 'rollbook_app'::regrole
            UNION ALL SELECT 'superuser' FROM pg_roles WHERE rolname = 'rollbook_app' AND (rolsuper OR rolcreaterole)
            UNION ALL SELECT relname FROM pg_class WHERE relname = ANY(%s) AND relnamespace = 'public'::regnamespace
                AND has_table_privilege('rollbook_app', oid, 'DELETE, TRUNCATE, TRIGGER, MAINTAIN')
            """,
            [list(FOREVER)],
        ).fetchall()
    assert rows == []
