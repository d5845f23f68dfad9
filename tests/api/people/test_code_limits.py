"""How many codes may be asked for and typed wrongly from one address (rulings K20, K21 and K28)."""

from pathlib import Path
from typing import Any

import pytest

from tests.api.people.test_code_tries import ANN, confirm, sent_to_confirm
from tests.api.people.test_codes import NEW_PASSWORD, ask, log_in, registered
from tests.support.world.product import PASSWORD, World, a_world


async def wrong(world: World, operation: str, name: str) -> int:
    body = {"username": name, "confirmation_code": "00000000"}
    more = {"password": NEW_PASSWORD} if operation == "confirm-forgot-password" else {}
    return int((await ask(world, operation, **body, **more)).status_code)


@pytest.mark.parametrize("operation", ["forgot-password", "resend-confirmation", "resend-invitation"])
async def test_requests_of_codes_from_one_address_are_limited(database_url: str, operation: str) -> None:
    """Ruling K20: each operation for itself. Without Redis half of a limit counts."""
    async with a_world(database_url, projecting=False, code_requests_address=4) as world:
        names = [f"ann{number}@people.test" for number in range(3)]
        statuses = [(await ask(world, operation, username=name)).status_code for name in names]
        assert statuses == [201, 201, 429]
        other = "resend-confirmation" if operation == "forgot-password" else "forgot-password"
        assert (await ask(world, other, username=ANN)).status_code == 201


async def test_wrong_codes_from_one_address_are_limited_over_both_operations(database_url: str) -> None:
    """Ruling K21."""
    async with a_world(database_url, projecting=False, code_failures_address=4) as world:
        assert await wrong(world, "confirm-sign-up", "a@people.test") == 400
        assert await wrong(world, "confirm-forgot-password", "b@people.test") == 400
        for operation in ("confirm-sign-up", "confirm-forgot-password"):
            assert await wrong(world, operation, "c@people.test") == 429


async def test_wrong_codes_for_one_name_are_limited_over_both_operations(database_url: str) -> None:
    """Ruling K21."""
    async with a_world(database_url, projecting=False, code_failures=4) as world:
        assert await wrong(world, "confirm-sign-up", ANN) == 400
        assert await wrong(world, "confirm-forgot-password", ANN.upper()) == 400
        assert await wrong(world, "confirm-sign-up", ANN) == 429


async def test_a_confirmation_forgives_wrong_passwords_of_the_user(database_url: str, tmp_path: Path) -> None:
    """Ruling K28."""
    async with a_world(database_url, outbox=tmp_path / "outbox", login_failures=4) as world:
        await registered(world, ANN)
        code = await sent_to_confirm(world)
        assert [await log_in(world, ANN, "wrong-password-9") for _ in range(3)] == [401, 401, 429]
        assert await confirm(world, code) == 201
        assert await log_in(world, ANN, PASSWORD) == 201


async def test_a_confirmation_forgives_no_failures_of_the_address(database_url: str, tmp_path: Path) -> None:
    """Ruling K28."""
    limits: dict[str, Any] = {"code_failures_address": 6, "login_failures_address": 6}
    async with a_world(database_url, outbox=tmp_path / "outbox", **limits) as world:
        await registered(world, ANN)
        code = await sent_to_confirm(world)
        for number in range(2):
            assert await wrong(world, "confirm-sign-up", f"x{number}@people.test") == 400
            assert await log_in(world, f"x{number}@people.test", "wrong-password-9") == 401
        assert await confirm(world, code) == 201
        assert await wrong(world, "confirm-sign-up", "y@people.test") == 400
        assert await log_in(world, "y@people.test", "wrong-password-9") == 401
        assert await wrong(world, "confirm-sign-up", "z@people.test") == 429
        assert await log_in(world, "z@people.test", "wrong-password-9") == 429
