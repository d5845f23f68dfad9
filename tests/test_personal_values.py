"""What is looked for after every test (tests/support/personal_values.py) is noted, and would be found."""

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.core.personal import Personal
from domain.onboarding.requests import OnboardingRequest
from domain.people.login_names import LoginNames, parse_login_name
from domain.people.users import User
from projections import registry
from tests.support.personal_values import in_raw_tables
from tests.support.world.product import World, a_world

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


async def test_personal_values_stand_in_no_column_that_is_not_declared(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path, public_url="https://care.test/") as world:
        north = await world.organization()
        marks = await a_guest(world, north) | await a_colleague(world, north) | await an_expected_person(world)
        marks |= await somebody_who_registers(world, north)
        await world.catch_up()
    projections = [each for log in registry.LOGS for each in registry.projected_from(log)]
    declared = [personal for each in projections for personal in each.personal]
    columns = {(personal.table, name): personal.subject for personal in declared for name in personal.columns}
    found = columns_with(database_url, marks)
    assert found.keys() == columns.keys()
    for (table, column), values in found.items():
        for value in values:
            assert subjects_of(database_url, table, column, columns[table, column], value) == {marks[value]}


async def a_guest(world: World, organization_id: UUID) -> dict[str, UUID]:
    """Somebody who is invited by e-mail and text message, and tries to sign in; by what stands in their values."""
    mail, phone, user_name, preferred = "quillfeather", "12025550143", "inkwellington", "foxglovely"
    attributes = {
        "organization": str(organization_id),
        "onboard-type": "patient",
        "patient-email": f"{mail}@people.test",
        "phone-number": f"+{phone}",
        "username": user_name,
        "notifications": ["email", "sms"],
        "email-user-now": True,
        "communication-preferences": {"email": {"note": preferred}},
    }
    body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
    keyed = world.system.bearer | {"Idempotency-Key": "once"}
    answer = await world.client.post("/v1/onboarding-requests/", json=body, headers=keyed)
    assert answer.status_code == 201, answer.text
    for channel in ("email", "sms"):
        message_id = answer.json()["data"]["attributes"]["last-invite"][channel]["id"]
        failed = {"status": "failed", "error": f"{mail} is not known"}
        body = {"data": {"type": "onboarding-texts", "attributes": failed}}
        await world.post(f"/v1/onboarding-texts/{message_id}/update-status/", body, world.service)
    await world.client.post("/v1/login/", json={"username": f"{mail}@people.test", "password": PASSWORD})
    request = await world.identity.store.get(OnboardingRequest, UUID(answer.json()["data"]["id"]))
    return dict.fromkeys((mail, phone, user_name, preferred), request.user_id)


async def an_expected_person(world: World) -> dict[str, UUID]:
    """Somebody whose address was invited; it is a value of the invitation, because there is no user yet."""
    mail = "marrowgold"
    body = {"data": {"type": "registration-invitations", "attributes": {"invited-email": f"{mail}@people.test"}}}
    answer = await world.post("/v1/registration-invitations/", body, world.system)
    return {mail: UUID(answer["data"]["id"])}


async def somebody_who_registers(world: World, organization_id: UUID) -> dict[str, UUID]:
    """A patient who signs up, by their day of birth; the rest of what they tell stands in events only."""
    code = {"type": "organization-codes", "attributes": {"id": "North-1", "organization-id": str(organization_id)}}
    await world.post("/v1/organization-codes/", {"data": code}, world.system)
    mail, day = "periwinkleton", "1961-04-12"
    body = {
        "first-name": "Ada", "last-name": "Byron", "organization-code": "North-1", "password": PASSWORD,
        "username": f"{mail}@people.test", "birth-date": day, "preferred-name": "Countessina",
        "enrollment-data": {"likes": "hollyhocks"},
    }  # fmt: skip
    answer = await world.client.post("/v1/sign-up/", json=body)
    assert answer.status_code == 201, answer.text
    (user_id,) = await world.services.directory.users_named([parse_login_name(f"{mail}@people.test")])
    return dict.fromkeys((mail, day), user_id)


async def a_colleague(world: World, organization_id: UUID) -> dict[str, UUID]:
    """A provider with a first and a last name, which no command gives yet; by what stands in these."""
    user_id, first, last, mail = uuid4(), "zarathustrina", "oxenfurther", "loganberry"
    user = User._create(
        User.Created,
        id=user_id,
        kind="person",
        classification="customer",
        individual_id=uuid4(),
        names=LoginNames.of(user_id, f"{mail}@people.test", None, None),
        first_name=Personal(user_id, first.title()),
        last_name=Personal(user_id, last.title()),
        provisional_in=None,
    )
    user.confirm(email_verified=True)
    user.join(organization_id)
    await world.identity.store.save(user)
    return dict.fromkeys((first, last, mail), user_id)


def columns_with(database_url: str, values: Iterable[str]) -> dict[tuple[str, str], set[str]]:
    """Return which of the values stand in which columns of any table, whatever the case of their letters."""
    found: dict[tuple[str, str], set[str]] = {}
    with psycopg.connect(database_url) as connection:
        for table, column, type_ in connection.execute(COLUMNS).fetchall():
            text = f"encode({column}, 'escape')" if type_ == "bytea" else f'"{column}"::text'
            for value in values:
                query = f'SELECT FROM "{table}" WHERE strpos(lower({text}), %s) > 0 LIMIT 1'
                if connection.execute(query.encode(), [value]).fetchall():
                    found.setdefault((table, column), set()).add(value)
    return found


COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables
    USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"""


def subjects_of(database_url: str, table: str, column: str, subject: str, value: str) -> set[UUID]:
    """Return whose values they are, as the column `subject` of their rows tells."""
    query = f"SELECT {subject} FROM {table} WHERE strpos(lower({column}::text), %s) > 0"
    with psycopg.connect(database_url) as connection:
        return {row[0] for row in connection.execute(query.encode(), [value]).fetchall()}


PLANTS = {
    "snapshots": "VALUES (gen_random_uuid(), 1, 'user', convert_to(%s, 'UTF8'))",
    "sessions_snapshots": "VALUES (gen_random_uuid(), 1, 'user', convert_to(%s, 'UTF8'))",
    "events": "VALUES (gen_random_uuid(), 1, 1, 'user.created', convert_to(%s, 'UTF8'))",
    "sessions_events": "VALUES (gen_random_uuid(), 1, 1, 'session.opened', convert_to(%s, 'UTF8'))",
    "procrastinate_jobs": "(queue_name, task_name, args) VALUES ('q', 'mail', jsonb_build_object('to', %s::text))",
    "idempotency_keys": "(user_id, key, fingerprint, position, resource_id) VALUES (gen_random_uuid(), 'k', '', 1, %s)",
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
