"""Logins with TOTP and recovery codes (rulings K10, K30, K119, K120 and K123)."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
import time_machine

from tests.api.people.test_codes import NEW_PASSWORD, ask, messages
from tests.api.people.test_codes import codes as sent_codes
from tests.api.people.test_planted_accounts import EMAIL, PLANTED, REAL, onboard
from tests.api.people.test_planted_accounts import log_in as log_in_by_name
from tests.support.authenticators import (
    Authenticator,
    a_recorded_authenticator,
    an_authenticator,
    an_enabled_authenticator,
    enable,
)
from tests.support.world.product import PASSWORD, UNLIMITED, Person, World, a_world

LOGIN = "/v1/login/"


async def log_in(world: World, person: Person, code: str | None = None, status: int = 201, **changes: Any) -> Any:
    """Return the tokens or the code of the refusal."""
    body = {"username": person.email, "password": PASSWORD, **({} if code is None else {"totp-code": code}), **changes}
    answer = await world.client.post(LOGIN, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    if status == 201:
        return answer.json()
    (error,) = answer.json()["errors"]
    assert code is None or code == "" or code not in str(error)
    return error["code"]


def claims(tokens: Any) -> Any:
    return jwt.decode(tokens["id-token"], options={"verify_signature": False})


async def test_without_an_enabled_configuration_codes_are_ignored(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_authenticator(world, person)
        assert claims(await log_in(world, person, "000000"))["amr"] == ["pwd"]
        await enable(world, person, authenticator)
        await world.post(f"{authenticator.path}disable/", {"password": PASSWORD}, person)
        assert claims(await log_in(world, person, "wrong"))["amr"] == ["pwd"]


async def test_a_login_needs_the_code_of_the_time(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        person = await world.provider(await world.organization())
        with time_machine.travel(datetime.now(UTC), tick=False):
            authenticator = await an_enabled_authenticator(world, person)
            assert await log_in(world, person, status=401) == "totp-required"
            for wrong in ("000000", "", "x", authenticator.code(2), authenticator.code(-2), authenticator.code()):
                assert await log_in(world, person, wrong, 401) == "totp-invalid"
            tokens = await log_in(world, person, authenticator.code(1))
            assert claims(tokens)["amr"] == ["pwd", "otp"]
            again = await world.client.post("/v1/refresh-token/", json={"refresh-token": tokens["refresh-token"]})
            assert claims(again.json())["amr"] == ["pwd", "otp"]


async def test_codes_are_accepted_one_step_early_and_late_and_once(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5), tick=False):
            await log_in(world, person, authenticator.code(-1))
            assert await log_in(world, person, authenticator.code(-1), 401) == "totp-invalid"
            await log_in(world, person, f" {authenticator.code(1)[:3]} {authenticator.code(1)[3:]}")
            for earlier in (-1, 0, 1):  # no earlier one after a later one either
                assert await log_in(world, person, authenticator.code(earlier), 401) == "totp-invalid"


async def test_the_last_use_is_shown(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        person = await world.provider(await world.organization())
        await an_authenticator(world, person)
        authenticator = await an_enabled_authenticator(world, person)
        later = datetime.now(UTC) + timedelta(minutes=5)

        async def last_used() -> Any:
            rows = (await world.get("/v1/mfa-totp/", person))["data"]
            return [row["attributes"]["last-used"] for row in rows]

        never, enabling = await last_used()
        assert never is None
        with time_machine.travel(later, tick=False):
            await log_in(world, person, authenticator.code())
        assert await last_used() == [None, await last_use_of(world)]
        assert enabling <= (await last_used())[1]


async def last_use_of(world: World) -> str:
    async with world.pool.connection() as connection:
        row = await (await connection.execute("SELECT used_at FROM totp_uses")).fetchone()
        assert row is not None
        return f"{row[0].astimezone(UTC):%Y-%m-%d %H:%M:%S}"


async def test_states_are_told_before_codes(database_url: str) -> None:
    """Ruling K120: password, state, TOTP, documents."""
    async with a_world(database_url, projecting=False) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        assert await log_in(world, person, "000000", 401, password="wrong-password") == "invalid-credentials"
        documents = {"service-document-agreements": ["5b3a4a5e-0f6f-4d0e-9d3c-7a2f6f1f0c11"]}
        assert await log_in(world, person, None, 401, **documents) == "totp-required"
        code = authenticator.code(1)
        assert await log_in(world, person, code, 400, **documents) == "invalid-attribute"
        await log_in(world, person, code)  # a login that failed used no code
        await world.post(f"/v1/users/{person.user_id}/disable/", {}, world.system)
        assert await log_in(world, person, None, 403) == "user-disabled"


async def test_a_recovery_code_logs_in_once(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        first, second, third, *_ = authenticator.recovery_codes
        assert len(set(authenticator.recovery_codes)) == 10
        for code in authenticator.recovery_codes:
            assert [len(part) for part in code.split("-")] == [5, 5, 5]
            assert set(code) <= set("0123456789abcdefghjkmnpqrstvwxyz-")
        assert claims(await log_in(world, person, first))["amr"] == ["pwd", "otp"]
        assert await log_in(world, person, first, 401) == "totp-invalid"
        await log_in(world, person, f" {second.upper().replace('-', ' ')} ")
        await log_in(world, person, third.replace("-", "\u00a0\u2013\t"))
        (row,) = (await world.get("/v1/mfa-totp/", person))["data"]
        assert (row["attributes"]["recovery-codes"], row["attributes"]["recovery-codes-left"]) == (None, 7)


async def test_new_recovery_codes_end_the_old_ones(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        new = await recovery_codes(world, person, authenticator)
        assert await log_in(world, person, authenticator.recovery_codes[0], 401) == "totp-invalid"
        await log_in(world, person, new[0])
        await world.post(f"{authenticator.path}disable/", {"password": PASSWORD}, person)
        refusal = await world.post(f"{authenticator.path}recovery-codes/", {"password": PASSWORD}, person, 409)
        assert refusal["errors"][0]["code"] == "invalid-state"
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5), tick=False):
            await enable(world, person, authenticator)
            assert await log_in(world, person, new[1], 401) == "totp-invalid"


async def recovery_codes(world: World, person: Person, authenticator: Authenticator) -> Sequence[str]:
    answer = await world.post(f"{authenticator.path}recovery-codes/", {"password": PASSWORD}, person)
    codes: list[str] = answer["data"]["attributes"]["recovery-codes"]
    assert answer["data"]["attributes"]["recovery-codes-left"] == len(codes) == 10
    return codes


async def test_recovery_codes_enable_no_configuration(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        codes = authenticator.recovery_codes
        await world.post(f"{authenticator.path}disable/", {"password": PASSWORD}, person)
        assert (await enable(world, person, authenticator, 0, 400, codes=codes[:2]))["code"] == "totp-invalid"


@pytest.mark.parametrize("kind", ["code", "recovery code"])
async def test_one_of_two_racing_logins_with_one_code_wins(database_url: str, kind: str) -> None:
    async with (
        a_world(database_url, projecting=False, **UNLIMITED) as world,
        a_world(database_url, projecting=False, **UNLIMITED) as other,
    ):
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        code = authenticator.code(1) if kind == "code" else authenticator.recovery_codes[0]
        body = {"username": person.email, "password": PASSWORD, "totp-code": code}
        answers = await asyncio.gather(*(each.client.post(LOGIN, json=body) for each in (world, other) * 4))
        assert sorted(answer.status_code for answer in answers) == [201] + [401] * 7
        refusals = {error["code"] for answer in answers for error in answer.json().get("errors", [])}
        assert refusals == {"totp-invalid"}


async def test_wrong_codes_count_as_failures_and_missing_ones_do_not(database_url: str) -> None:
    """Ruling K10: a right password clears nothing, only a complete login does."""
    async with a_world(database_url, projecting=False, login_failures=6) as world:  # half, without Redis
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        for _ in range(5):
            assert await log_in(world, person, status=401) == "totp-required"
        for _ in range(2):
            assert await log_in(world, person, "000000", 401) == "totp-invalid"
            assert await log_in(world, person, status=401) == "totp-required"
        await log_in(world, person, authenticator.recovery_codes[0])  # clears
        for wrong in ("000000", "abcde-abcde-abcde", "111111"):
            assert await log_in(world, person, wrong, 401) == "totp-invalid"
        assert await log_in(world, person, authenticator.recovery_codes[1], 429) == "too-many-requests"


async def test_no_secret_stands_in_the_log_or_in_a_table_in_clear(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        await log_in(world, person, authenticator.recovery_codes[0])
        async with world.pool.connection() as connection:
            rows = await connection.execute("SELECT state FROM events")
            states = b"".join(bytes(state) for (state,) in await rows.fetchall())
            tables = await connection.execute("SELECT (t.*)::text FROM totp_configurations t")
            states += "".join(text for (text,) in await tables.fetchall()).encode()
        for secret in (authenticator.secret, *authenticator.recovery_codes):
            assert secret.encode() not in states
            assert secret.replace("-", "").upper().encode() not in states


async def test_the_second_factor_ends_when_an_account_is_taken_over(database_url: str) -> None:
    """Ruling O1: nobody proved the contact of a provisional account."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        planted = (await onboard(world, await world.admin(north), north, PLANTED, **EMAIL))["claimed-by"]
        await a_recorded_authenticator(world, UUID(planted), enabled=True)
        assert (await log_in_by_name(world, EMAIL, PLANTED)).json()["errors"][0]["code"] == "totp-required"
        await onboard(world, world.service, south, REAL, **EMAIL)
        assert (await log_in_by_name(world, EMAIL, REAL)).status_code == 201
        assert (await world.get("/v1/mfa-totp/", world.system, 200, **{"filter[user-id]": planted}))["data"] == []


async def test_users_are_told_of_changes_to_their_second_factor(database_url: str, tmp_path: Path) -> None:
    """Ruling K41."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        await log_in(world, person, authenticator.recovery_codes[0])
        await log_in(world, person, authenticator.code(1))
        for _ in range(2):  # the second one changes nothing
            await world.post(f"{authenticator.path}disable/", {"password": PASSWORD}, person)
        await world.catch_up()
        told = [(each["template"], each["subject"]) for each in messages(world, person.email)]
        assert told == [
            ("security-notice", "Two-step login was turned on"),
            ("security-notice", "A recovery code was used"),
            ("security-notice", "Two-step login was turned off"),
        ]


async def test_a_new_password_does_not_replace_the_second_factor(database_url: str, tmp_path: Path) -> None:
    """Ruling K91: the login that follows tells that a code is needed."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        answer = await reset_password(world, person.email)
        assert answer["login-error"]["code"] == "totp-required"
        assert await log_in(world, person, status=401, password=NEW_PASSWORD) == "totp-required"
        await log_in(world, person, authenticator.code(1), password=NEW_PASSWORD)


async def test_the_second_factor_of_a_provisional_user_ends_with_a_reset(database_url: str, tmp_path: Path) -> None:
    """Ruling O1: the code proves the contact, and whoever enabled TOTP had not proved it."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        planted = (await onboard(world, await world.admin(north), north, PLANTED, **EMAIL))["claimed-by"]
        await a_recorded_authenticator(world, UUID(planted), enabled=True)
        answer = await reset_password(world, EMAIL["patient-email"])
        assert (answer["login-error"], bool(answer["access-token"])) == (None, True)


async def reset_password(world: World, email: str) -> Any:
    await ask(world, "forgot-password", username=email)
    (code,) = await sent_codes(world, email, "forgot-password")
    body = {"username": email, "confirmation_code": code, "password": NEW_PASSWORD, "login": True}
    answer = await ask(world, "confirm-forgot-password", **body)
    assert answer.status_code == 201, answer.text
    return answer.json()
