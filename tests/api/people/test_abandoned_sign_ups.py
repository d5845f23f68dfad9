"""Sign-ups that were never confirmed give way to others only after the last code of any purpose (ruling K5)."""

from datetime import timedelta
from pathlib import Path

import time_machine

from tests.api.organizations.test_enrollment_codes import a_code
from tests.api.people.test_codes import NEW_PASSWORD, ask, codes, state
from tests.api.people.test_sign_ups import OPEN, signed_up, user_named
from tests.support.world.product import a_world

ADA = "ada@people.test"


async def test_a_code_for_a_forgotten_password_protects_a_sign_up(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", **OPEN) as world:
        await a_code(world, await world.organization())
        await signed_up(world)
        first = await user_named(world)
        with time_machine.travel(timedelta(seconds=86_401)):
            await ask(world, "forgot-password", username=ADA)
            (code,) = await codes(world, ADA, "forgot-password")
            await signed_up(world, 409)
            body = {"username": ADA, "confirmation_code": code, "password": NEW_PASSWORD}
            assert (await ask(world, "confirm-forgot-password", **body)).status_code == 201
            assert await state(world, first.id) == "confirmed"


async def test_a_sign_up_gives_way_once_every_code_is_late(database_url: str) -> None:
    async with a_world(database_url, **OPEN) as world:
        await a_code(world, await world.organization())
        await signed_up(world)
        first = await user_named(world)
        with time_machine.travel(timedelta(seconds=86_000)):
            await ask(world, "forgot-password", username=ADA)
        with time_machine.travel(timedelta(seconds=86_401)):
            await signed_up(world, 409)
        with time_machine.travel(timedelta(seconds=89_601)):
            await signed_up(world)
        assert await state(world, first.id) == "archived"
