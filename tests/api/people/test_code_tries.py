"""Wrong tries make the codes of a user and purpose void, right ones never do (rulings K4, K19, K31, K32, K74, K90)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine

from tests.api.people.test_codes import MISMATCH, NEW_PASSWORD, ask, codes, refusal, registered
from tests.api.people.test_user_search import archive
from tests.support.world.product import World, a_world

ANN, PHONE = "ann@people.test", "+12025550147"


async def reachable_twice(world: World) -> UUID:
    """Ann, who has an e-mail address and a phone number, neither of them verified."""
    return await registered(world, ANN, **{"phone-number": PHONE})


async def confirm(world: World, code: str) -> int:
    return int((await ask(world, "confirm-sign-up", username=ANN, confirmation_code=code)).status_code)


async def reset(world: World, code: str, **more: Any) -> int:
    body = {"username": ANN, "confirmation_code": code, "password": NEW_PASSWORD, **more}
    return int((await ask(world, "confirm-forgot-password", **body)).status_code)


async def disable(world: World, user_id: UUID) -> None:
    await world.post(f"/v1/users/{user_id}/disable/", {}, world.system)


async def sent_to_confirm(world: World, channel: str = "email") -> str:
    """The code that a new message to Ann carries."""
    await ask(world, "resend-confirmation", username=ANN, source=channel)
    to, template = (ANN, "verify-email") if channel == "email" else (PHONE, "verify")
    return (await codes(world, to, template))[-1]


async def try_wrong_codes(world: World, number: int) -> None:
    for wrong in range(number):
        assert await confirm(world, f"{wrong:08}") == 400


async def test_the_code_that_confirmed_may_be_repeated_without_limit(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        await registered(world, ANN)
        code = await sent_to_confirm(world)
        assert [await confirm(world, code) for _ in range(7)] == [201] * 7


async def test_right_codes_at_the_same_time_all_confirm(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await registered(world, ANN)
        code = await sent_to_confirm(world)
        assert await asyncio.gather(*(confirm(world, code) for _ in range(7))) == [201] * 7


async def test_a_code_that_is_typed_while_the_user_is_disabled_stays(database_url: str, tmp_path: Path) -> None:
    """Ruling K74."""
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        user_id = await registered(world, ANN)
        code = await sent_to_confirm(world)
        await disable(world, user_id)
        for _ in range(5):
            assert await refusal(world, "confirm-sign-up", username=ANN, confirmation_code=code) == MISMATCH
        await world.post(f"/v1/users/{user_id}/enable/", {}, world.system)
        assert await confirm(world, code) == 201


@pytest.mark.parametrize("end", [disable, archive])
async def test_the_late_code_of_an_ended_account_is_a_mismatch(
    database_url: str, tmp_path: Path, end: Callable[[World, UUID], Awaitable[None]]
) -> None:
    """Ruling K4."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        user_id = await registered(world, ANN)
        code = await sent_to_confirm(world)
        await end(world, user_id)
        for days in (0, 2):
            with time_machine.travel(timedelta(days=days)):
                assert await refusal(world, "confirm-sign-up", username=ANN, confirmation_code=code) == MISMATCH


async def test_wrong_tries_by_one_channel_end_the_code_of_the_other(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await reachable_twice(world)
        for channel in ("email", "sms"):
            await ask(world, "forgot-password", username=ANN, source=channel)
        (by_sms,) = await codes(world, PHONE, "reset-password")
        for wrong in range(5):
            assert await reset(world, f"{wrong:08}", source="email" if wrong < 4 else "sms") == 400
        assert await reset(world, by_sms) == 400
        await ask(world, "forgot-password", username=ANN, source="sms")
        newer = (await codes(world, PHONE, "reset-password"))[-1]
        assert await reset(world, newer) == 201


async def test_a_later_code_of_the_other_channel_brings_no_more_tries(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await reachable_twice(world)
        await sent_to_confirm(world)
        await try_wrong_codes(world, 4)
        by_sms = await sent_to_confirm(world, "sms")
        await try_wrong_codes(world, 1)
        by_email = await sent_to_confirm(world)
        assert (await confirm(world, by_sms), await confirm(world, by_email)) == (400, 201)


async def test_wrong_tries_of_one_purpose_leave_the_other_alone(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await registered(world, ANN)
        await ask(world, "forgot-password", username=ANN)
        (to_reset,) = await codes(world, ANN, "forgot-password")
        to_confirm = await sent_to_confirm(world)
        await try_wrong_codes(world, 5)
        assert (await confirm(world, to_confirm), await reset(world, to_reset)) == (400, 201)


async def test_a_code_that_has_expired_ends_no_later_one(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await reachable_twice(world)
        await sent_to_confirm(world, "sms")
        await try_wrong_codes(world, 4)
        with time_machine.travel(timedelta(minutes=11)):
            by_email = await sent_to_confirm(world)
            await try_wrong_codes(world, 4)
            assert await confirm(world, by_email) == 201


@pytest.mark.parametrize(("tries", "wrong", "status"), [(2, 1, 201), (2, 2, 400), (0, 12, 201)])
async def test_the_number_of_tries_is_a_setting(
    database_url: str, tmp_path: Path, tries: int, wrong: int, status: int
) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0, code_tries=tries) as world:
        await registered(world, ANN)
        code = await sent_to_confirm(world)
        await try_wrong_codes(world, wrong)
        assert await confirm(world, code) == status


async def test_a_wrong_try_records_no_event(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await registered(world, ANN)
        code = await sent_to_confirm(world)
        heads = [await world.identity.store.save(), await world.session_store.save()]
        await try_wrong_codes(world, 6)
        assert await confirm(world, code) == 400
        assert [await world.identity.store.save(), await world.session_store.save()] == heads


async def test_of_many_guesses_at_the_same_time_few_are_judged(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await registered(world, ANN)
        code = await sent_to_confirm(world)
        await asyncio.gather(*(confirm(world, f"{wrong:08}") for wrong in range(20)))
        async with world.pool.connection() as connection:
            cursor = await connection.execute("SELECT tries FROM code_tries")
            assert await cursor.fetchall() == [(5,)]
        assert await confirm(world, code) == 400


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", "\u2009", "\n", "-", "\u2010", "\u2011", "\u2013"], ids=ascii)
async def test_blanks_and_hyphens_of_every_kind_are_ignored(database_url: str, tmp_path: Path, blank: str) -> None:
    """Ruling K30."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        await registered(world, ANN)
        code = await sent_to_confirm(world)
        assert await confirm(world, f"{blank}{code[:4]}{blank}{code[4:]}") == 201


async def test_a_right_code_that_is_late_is_not_counted_as_wrong(database_url: str, tmp_path: Path) -> None:
    """Ruling K21."""
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=4) as world:
        await registered(world, ANN)
        code = await sent_to_confirm(world)
        with time_machine.travel(timedelta(days=2)):
            late = [await ask(world, "confirm-sign-up", username=ANN, confirmation_code=code) for _ in range(6)]
        assert {answer.json()["errors"][0]["code"] for answer in late} == {"code-expired"}
