"""`rollbook migrate` into what is not ours to change: one line that says so, and nothing is changed (ruling O31)."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.running import rollbook

pytestmark = pytest.mark.slow


@pytest.fixture
def empty_url(database_server: str, administration: psycopg.Connection) -> Iterator[str]:
    with a_database(database_server, administration) as url:
        yield url


@contextmanager
def a_database(database_server: str, administration: psycopg.Connection, options: str = "") -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    administration.execute(f"CREATE DATABASE {name} {options}".encode())
    try:
        yield make_conninfo(database_server, dbname=name)
    finally:
        administration.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def relations(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " UNION ALL SELECT nspname FROM pg_namespace WHERE nspname IN ('rebuild', 'retired') ORDER BY 1"
        )
        return [name for (name,) in rows.fetchall()]


def refusal(url: str) -> str:
    """What `rollbook migrate` says, which changes nothing."""
    before = relations(url)
    done = rollbook("migrate", DATABASE_URL=url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert relations(url) == before
    return done.stderr.removeprefix("rollbook: ").rstrip("\n")


@pytest.mark.parametrize(
    "foreign",
    ["CREATE TABLE users (id integer)", "CREATE SCHEMA retired", "CREATE TYPE procrastinate_job_event_type AS ENUM ()"],
)
def test_something_of_another_program_under_a_name_of_ours(empty_url: str, foreign: str) -> None:
    with psycopg.connect(empty_url) as connection:
        connection.execute(foreign.encode())
    said = refusal(empty_url)
    assert said.startswith("the database has an object of another program with a name that Rollbook uses: ")
    assert said.endswith("nothing was changed")


def test_the_migrations_of_another_program(empty_url: str) -> None:
    with psycopg.connect(empty_url) as connection:
        connection.execute("CREATE TABLE schema_migrations (version character varying PRIMARY KEY)")
    assert refusal(empty_url).endswith("with a name that Rollbook uses: schema_migrations")


def test_a_database_that_is_read_only(empty_url: str, administration: psycopg.Connection) -> None:
    name = conninfo_to_dict(empty_url)["dbname"]
    administration.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    assert refusal(empty_url).startswith("the database is read-only")


def test_a_user_without_rights(empty_url: str, administration: psycopg.Connection) -> None:
    name = f"guest_{uuid4().hex}"
    administration.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'".encode())
    try:
        said = refusal(make_conninfo(empty_url, user=name, password=name))
    finally:
        administration.execute(f"DROP ROLE {name}".encode())
    assert said.startswith("this database user lacks rights: permission denied for schema public")


def test_another_encoding_than_utf8(database_server: str, administration: psycopg.Connection) -> None:
    options = "TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    with a_database(database_server, administration, options) as url:
        assert refusal(url) == "the database's encoding is SQL_ASCII: create it with ENCODING 'UTF8'"
