"""What is looked for after every test (tests/support/personal_values.py) is noted, and would be found."""

from uuid import uuid4

import psycopg
import pytest

from domain.core.personal import Personal
from tests.support.personal_values import in_raw_tables
from tests.support.world.product import a_world

EMAIL, PHONE, USERNAME = "ada.lovelace@people.test", "+12025550142", "countess-of-lovelace"
PASSWORD = "analytical-engine-1843"


async def test_personal_values_are_found_in_read_models_only(database_url: str, noted_values: set[str]) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        given = {"patient-email": EMAIL, "phone-number": PHONE, "username": USERNAME, "password": PASSWORD}
        attributes = {"organization": str(north), "onboard-type": "patient", "notifications": [], **given}
        at_once = {"auto-sign-up": True, "auto-confirm": True}
        body = {"data": {"type": "onboarding-requests", "attributes": attributes | at_once}}
        keyed = world.system.bearer | {"Idempotency-Key": "once"}
        answer = await world.client.post("/v1/onboarding-requests/", json=body, headers=keyed)
        assert answer.status_code == 201, answer.text
        login = await world.client.post("/v1/login/", json={"username": EMAIL, "password": PASSWORD})
        tokens = {value for name, value in login.json().items() if name.endswith("token")}
        await world.catch_up()

    assert {EMAIL, PHONE, USERNAME, PASSWORD} <= noted_values
    assert len(tokens) == 3
    assert all(any(value in token for value in noted_values) for token in tokens)
    assert any(value.startswith("$argon2id$") for value in noted_values)
    assert in_raw_tables(database_url, noted_values) == []
    assert ("users", EMAIL) in in_raw_tables(database_url, {EMAIL}, tables=["users"])


PLANTS = {
    "snapshots": "VALUES (gen_random_uuid(), 1, 'user', convert_to(%s, 'UTF8'))",
    "sessions_snapshots": "VALUES (gen_random_uuid(), 1, 'user', convert_to(%s, 'UTF8'))",
    "events": "VALUES (gen_random_uuid(), 1, 1, 'user.created', convert_to(%s, 'UTF8'))",
    "sessions_events": "VALUES (gen_random_uuid(), 1, 1, 'session.opened', convert_to(%s, 'UTF8'))",
    "procrastinate_jobs": "(queue_name, task_name, args) VALUES ('q', 'mail', jsonb_build_object('to', %s::text))",
    "idempotency_keys": "VALUES (gen_random_uuid(), 'once', '', 1, now(), 201, %s)",
}


@pytest.mark.parametrize("table", PLANTS)
def test_a_planted_value_is_found(database_url: str, table: str) -> None:
    value = 'Ada "the enchantress" Lovelace, Zürich'
    with psycopg.connect(database_url) as connection:
        connection.execute(f"INSERT INTO {table} {PLANTS[table]}".encode(), [value])
    assert in_raw_tables(database_url, {value, "somebody else"}) == [(table, value)]


@pytest.mark.parametrize("address", [EMAIL, PHONE])
def test_an_unrecorded_address_is_found(database_url: str, address: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(f"INSERT INTO events {PLANTS['events']}".encode(), [f'{{"name":"{address}"}}'])
    assert in_raw_tables(database_url, set()) == [("events", address)]
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM events")


def test_every_personal_value_is_noted(database_url: str, noted_values: set[str]) -> None:
    assert database_url
    Personal(uuid4(), "Ada Lovelace")
    Personal(uuid4(), None)
    assert noted_values == {"Ada Lovelace"}
