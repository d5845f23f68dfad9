"""Sessions rest on their own settings, not on those of the server, the database or the role (ruling O20)."""

from collections.abc import Iterator
from typing import Any, get_args

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.log.append_transaction import AppendTransaction
from adapters.postgres.session_settings import LIMITS, Purpose, session_dsn, session_options
from tests.support.world.product import a_world
from workers.following import rebuild
from workers.running.retention import forget_old_events

HOSTILE = {
    "DateStyle": "'SQL, DMY'",
    "IntervalStyle": "'sql_standard'",
    "TimeZone": "'Asia/Kolkata'",
    "client_encoding": "'LATIN1'",
    "standard_conforming_strings": "off",
    "search_path": "''",
    "jit": "on",
    "random_page_cost": "40",
    "statement_timeout": "'1ms'",
    "lock_timeout": "'1ms'",
    "idle_in_transaction_session_timeout": "'1ms'",
    "idle_session_timeout": "'1ms'",
    "default_transaction_isolation": "'serializable'",
}


@pytest.fixture
def hostile_url(database_url: str, administration: psycopg.Connection) -> Iterator[str]:
    """A database whose defaults are not what we need."""
    database = conninfo_to_dict(database_url)["dbname"]
    for name, value in HOSTILE.items():
        administration.execute(f"ALTER DATABASE {database} SET {name} = {value}".encode())
    yield database_url
    administration.execute(f"ALTER DATABASE {database} RESET ALL".encode())


async def asked(dsn: str, query: str) -> Any:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        return await (await connection.execute(query.encode())).fetchone()


@pytest.mark.parametrize("purpose", get_args(Purpose))
def test_each_session_begins_with_its_own_settings(hostile_url: str, purpose: Purpose) -> None:
    with psycopg.connect(session_dsn(hostile_url, purpose), autocommit=True) as connection:
        assert connection.execute("SHOW client_encoding").fetchone() == ("UTF8",)
        for name, value in session_options(purpose).items():
            if name != "tcp_user_timeout":  # Unix sockets have none
                assert connection.execute(f"SHOW {name}".encode()).fetchone() == (value,)


async def test_the_product_works_on_a_database_with_other_defaults(hostile_url: str) -> None:
    async with a_world(hostile_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        await world.patient(clinic)
        above, group = await world.group(clinic), await world.group(clinic)
        await world.move(group, above)
        found = await world.get(f"/v2/individual-groups/{group}/", admin)
        assert found["data"]["attributes"]["parent-group"]["id"] == str(above)
        (login,) = await asked(world.settings.dsn(), "SELECT max(recorded_at)::text FROM events")
        assert login.endswith("+00")
        assert await forget_old_events(world.settings.dsn("maintain"), "sessions", 400) == 0
        await rebuild.rebuild(world.settings, ["groups"], lambda _: None)


def test_the_connection_string_cannot_override_settings_that_change_results(database_url: str) -> None:
    given = make_conninfo(
        database_url, options="-c random_page_cost=2 -c statement_timeout=4321 -c TimeZone=Asia/Kolkata"
    )
    with psycopg.connect(session_dsn(given, "read")) as connection:
        assert connection.execute("SHOW random_page_cost").fetchone() == ("2",)
        assert connection.execute("SHOW statement_timeout").fetchone() == ("4321ms",)
        assert connection.execute("SHOW TimeZone").fetchone() == ("UTC",)


def test_a_session_can_be_turned_to_another_purpose(database_url: str) -> None:
    turned = session_dsn(session_dsn(database_url, "read"), "write", search_path="rebuild,public")
    with psycopg.connect(turned) as connection:
        for name, value in LIMITS["write"].items():
            if name != "tcp_user_timeout":
                assert connection.execute(f"SHOW {name}".encode()).fetchone() == (value,)
        assert connection.execute("SHOW search_path").fetchone() == ("rebuild,public",)


async def test_the_writer_holds_the_head_only_for_seconds(database_url: str) -> None:
    transaction = AppendTransaction(session_dsn(database_url, "read"), "identity", "events", [])
    connection = await transaction._connected()
    cursor = await connection.execute("SHOW idle_in_transaction_session_timeout")
    assert await cursor.fetchone() == (LIMITS["write"]["idle_in_transaction_session_timeout"],)
    await transaction.close()
