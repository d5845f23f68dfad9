"""The application's role works by what is granted to it by name, and `migrate` grants it again (ruling O19)."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from migrations.runner import Migration, MigrationRefusedError, migrate, migrations_in
from tests.support.logins import application_dsn
from tests.support.world.product import PASSWORD, a_world
from workers.running import retention

NOTHING_LEFT = """
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM rollbook_app, PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM rollbook_app, PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA public FROM rollbook_app, PUBLIC;
REVOKE ALL ON SCHEMA public FROM rollbook_app, PUBLIC;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT oid::regtype FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typelem = 0
    LOOP EXECUTE format('REVOKE ALL ON TYPE %s FROM rollbook_app, PUBLIC', name); END LOOP;
END $$;
"""


@pytest.fixture
def bare_url(database_url: str) -> str:
    """As a dump that was restored without privileges, on a server whose administrator gives PUBLIC nothing."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(NOTHING_LEFT)
        owner.execute(
            f"REVOKE ALL ON DATABASE {conninfo_to_dict(database_url)['dbname']} FROM rollbook_app, PUBLIC".encode()
        )
    return database_url


def test_nothing_is_left_to_the_application(bare_url: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(application_dsn(bare_url))


async def test_migrate_grants_all_that_the_product_needs(bare_url: str) -> None:
    assert await migrate(bare_url) == []
    async with a_world(bare_url) as world:
        clinic = await world.organization()
        ann = await world.provider(clinic)
        await world.patient(clinic)
        await world.post("/v1/login/", {"username": ann.email, "password": PASSWORD}, world.system)
        above, group = await world.group(clinic), await world.group(clinic)
        await world.move(group, above)
        assert await retention.forget_old_events(world.settings.dsn("maintain"), "sessions", 400) == 0


async def test_dropped_tables_are_not_granted(database_url: str) -> None:
    made = Migration(9001, "9001_made", "CREATE TABLE made ();\nGRANT SELECT ON made TO rollbook_app;")
    dropped = Migration(9002, "9002_dropped", "DROP TABLE made")
    assert await migrate(database_url, [*migrations_in(), made, dropped]) == ["9001_made", "9002_dropped"]


def test_the_login_is_no_other_role_in_disguise(database_url: str) -> None:
    with psycopg.connect(application_dsn(database_url), autocommit=True) as connection:
        for statement in ("RESET ROLE", "SET ROLE NONE", "RESET ALL", "RESET SESSION AUTHORIZATION"):
            connection.execute(statement.encode())
            assert connection.execute("SELECT session_user::text, current_user::text").fetchone() == (
                "rollbook_app",
                "rollbook_app",
            )
        memberships = connection.execute("SELECT rolname FROM pg_roles WHERE pg_has_role(oid, 'MEMBER')").fetchall()
        assert memberships == [("rollbook_app",)]
        for forbidden in (
            "DELETE FROM events",
            "DELETE FROM sessions_events",
            "SELECT forget_old_events('sessions', 30, 1, '{}')",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue)):
                connection.execute(forbidden.encode())


async def test_a_role_with_rights_of_its_own_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE owned (); GRANT CREATE ON SCHEMA public TO rollbook_app")
        owner.execute("ALTER TABLE owned OWNER TO rollbook_app")
    with pytest.raises(MigrationRefusedError, match="rollbook_app must have no rights of its own: it owns table owned"):
        await migrate(database_url)
