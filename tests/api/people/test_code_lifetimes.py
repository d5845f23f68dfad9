"""How long codes live, and what ends them before (rulings K4, K18 and K31)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tests.api.people.test_code_tries import ANN, confirm, reachable_twice, reset, sent_to_confirm
from tests.api.people.test_codes import MISMATCH, NEW_PASSWORD, ask, codes, refusal
from tests.support.world.product import World, a_world

TEMPLATES = {"email": "forgot-password", "sms": "reset-password"}


async def sent_to_reset(world: World, channel: str = "email") -> str:
    """The code that a new message to Ann carries."""
    await ask(world, "forgot-password", username=ANN, source=channel)
    to = ANN if channel == "email" else "+12025550147"
    return (await codes(world, to, TEMPLATES[channel]))[-1]


@pytest.mark.parametrize(
    ("settings", "channel", "to_confirm", "to_reset"),
    [
        ({}, "email", 86_400, 3_600),
        ({}, "sms", 600, 600),
        ({"sign_up_code_seconds": 120, "reset_code_seconds": 240}, "email", 120, 240),
        ({"sign_up_code_seconds": 120, "reset_code_seconds": 240}, "sms", 120, 240),
        ({"reset_code_seconds": 240, "sms_code_seconds": 360}, "sms", 360, 240),
    ],
    ids=["email", "sms", "settings", "shorter than the limit of sms", "longer than the limit of sms"],
)
async def test_the_lifetime_of_a_code_is_a_setting(
    database_url: str, tmp_path: Path, settings: dict[str, Any], channel: str, to_confirm: int, to_reset: int
) -> None:
    """Ruling K18: a code by text message lives at most as long as those are trusted."""
    async with a_world(database_url, outbox=tmp_path / "outbox", **settings) as world:
        await reachable_twice(world)
        confirmation, forgotten = await sent_to_confirm(world, channel), await sent_to_reset(world, channel)
        right = {"username": ANN, "confirmation_code": forgotten, "password": NEW_PASSWORD}
        late = ("code-expired", "/confirmation-code")
        with time_machine.travel(timedelta(seconds=to_confirm + 1)):
            assert await refusal(world, "confirm-sign-up", username=ANN, confirmation_code=confirmation) == late
        with time_machine.travel(timedelta(seconds=to_reset + 1)):
            assert await refusal(world, "confirm-forgot-password", **right) == late
        with time_machine.travel(timedelta(seconds=to_confirm - 10)):
            assert await confirm(world, confirmation) == 201
        with time_machine.travel(timedelta(seconds=to_reset - 10)):
            assert await reset(world, forgotten) == 201


async def test_a_used_code_ends_the_code_of_the_other_channel(database_url: str, tmp_path: Path) -> None:
    """Ruling K31."""
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await reachable_twice(world)
        by_email, by_sms = await sent_to_confirm(world), await sent_to_confirm(world, "sms")
        assert await confirm(world, by_email) == 201
        assert await refusal(world, "confirm-sign-up", username=ANN, confirmation_code=by_sms) == MISMATCH
        assert await confirm(world, by_email) == 201


async def test_a_later_code_for_a_password_ends_the_earlier_of_its_channel(database_url: str, tmp_path: Path) -> None:
    """Ruling K31."""
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await reachable_twice(world)
        first, by_sms = await sent_to_reset(world), await sent_to_reset(world, "sms")
        await sent_to_reset(world)
        assert await reset(world, first) == 400
        assert await reset(world, by_sms) == 201


async def test_wrong_and_unknown_answer_alike_for_a_forgotten_password(database_url: str, tmp_path: Path) -> None:
    """Rulings K4 and K91."""
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await reachable_twice(world)
        code = await sent_to_reset(world)
        wrong = {"confirmation_code": "00000000", "password": NEW_PASSWORD}
        weak = {"confirmation_code": code, "password": "password"}
        for body in (wrong, weak):
            answers = [
                await ask(world, "confirm-forgot-password", username=name, **body) for name in (ANN, "no@people.test")
            ]
            assert {answer.status_code for answer in answers} == {400}
            assert len({answer.text for answer in answers}) == 1
        assert await reset(world, code) == 201
