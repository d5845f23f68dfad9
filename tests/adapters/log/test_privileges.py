"""What is recorded stays as it is: the application's own role can neither change nor delete it."""

import asyncio
from uuid import uuid4

import psycopg
import pytest

from domain.access.roles import Role
from domain.people.users import User
from tests.support.followers import eventually
from tests.support.stores import a_pool, a_store
from tests.support.world.product import PASSWORD, a_world
from workers.jobs import worker as jobs

FOREVER = {
    "events": ("UPDATE events SET topic = 'x'", "DELETE FROM events", "TRUNCATE events"),
    "sessions_events": (
        "UPDATE sessions_events SET topic = 'x'",
        "DELETE FROM sessions_events",
        "TRUNCATE sessions_events",
    ),
    "snapshots": ("UPDATE snapshots SET state = ''", "TRUNCATE snapshots"),
    "sessions_snapshots": ("UPDATE sessions_snapshots SET state = ''", "TRUNCATE sessions_snapshots"),
    "log_head": ("DELETE FROM log_head", "TRUNCATE log_head", "INSERT INTO log_head VALUES ('another', 0)"),
    "data_keys": ("DELETE FROM data_keys", "TRUNCATE data_keys"),
}


@pytest.mark.parametrize("statement", [each for statements in FOREVER.values() for each in statements])
async def test_the_application_role_cannot_change_recorded_events(database_url: str, statement: str) -> None:
    async with a_store(database_url) as store, a_pool(database_url) as pool:
        await store.save(
            Role.create(uuid4(), "org.admin", "org.admin"),
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
            UNION ALL SELECT relname FROM pg_class
            WHERE relname = ANY(%(all)s) AND relnamespace = 'public'::regnamespace
                AND (has_table_privilege('rollbook_app', oid, 'TRUNCATE, TRIGGER, MAINTAIN')
                     OR has_table_privilege('rollbook_app', oid, 'DELETE') AND relname <> ALL(%(replaced)s))
            """,
            {"all": list(FOREVER), "replaced": ["snapshots", "sessions_snapshots"]},
        ).fetchall()
    assert rows == []


WATCH = """
CREATE TABLE writers (what text, role name);
GRANT INSERT ON writers TO PUBLIC;
CREATE FUNCTION note_writer() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO writers VALUES (TG_TABLE_NAME, current_user); RETURN NULL; END';
"""
WRITTEN = (
    "events",
    "sessions_events",
    "access_groups",
    "groups",
    "projections",
    "procrastinate_jobs",
    "procrastinate_workers",
)


async def test_the_product_writes_with_the_application_role(database_url: str) -> None:
    """No connection of a part is the owner's."""
    with psycopg.connect(database_url) as connection:
        connection.execute(WATCH)
        for table in WRITTEN:
            connection.execute(
                f"CREATE TRIGGER watched AFTER INSERT ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION note_writer()".encode()
            )
    async with a_world(database_url) as world:
        clinic = await world.organization()
        await world.provider(clinic, "ann@people.test")
        await world.post("/v1/login/", {"username": "ann@people.test", "password": PASSWORD}, world.system)
        stop = asyncio.Event()
        working = asyncio.create_task(jobs.run(world.settings, stop))
        above, group = await world.group(clinic), await world.group(clinic)
        body = {"to-parent-group-id": str(above)}
        await world.post(f"/v1/individual-groups/{group}/move-group/", body, world.system)
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await eventually(connection, "SELECT count(*) FROM events WHERE topic = 'group-tree.moved'", 1)
        stop.set()
        await working
        async with world.services.pool.connection() as reading:
            assert await (await reading.execute("SELECT current_user::text")).fetchone() == ("rollbook_app",)
    with psycopg.connect(database_url) as connection:
        assert set(connection.execute("SELECT DISTINCT what, role::text FROM writers").fetchall()) == {
            (table, "rollbook_app") for table in WRITTEN
        }
