"""What is counted, sent and refused when contacts and profiles of users are changed (rulings K66, K67 and K68)."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.api.people.test_codes import messages
from tests.api.people.test_user_changes import at, change, refusals
from tests.support.world.product import World, a_world

KIBIBYTE = 1024


async def an_invited_user(world: World, email: str) -> UUID:
    """A patient who has been entered, and has neither signed up nor been sent anything."""
    attributes = {
        "organization": str(await world.organization()), "onboard-type": "patient", "patient-email": email,
        "notifications": [],
    }  # fmt: skip
    body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
    await world.post("/v1/onboarding-requests/", body, world.system)
    return (await world.services.directory.users_by_email([email]))[email]


async def test_changes_that_name_no_contact_are_not_throttled(database_url: str) -> None:
    """Rulings K67 and K23. Without Redis the limit is halved."""
    async with a_world(database_url, lookup_misses_address=4) as world:
        person, other = await world.people(await world.organization(), "patient", "patient")
        for _ in range(2):
            await change(world, person, person, 409, email=other.email)
        await change(world, person, person, 429, phone="+12025550147")
        await change(world, person, person, 429, first_name="Ann", email="free@people.test")
        for harmless in ({"first_name": "Ann"}, {"tz": "UTC"}, {"phone": None}, {"username": "email"}):
            await change(world, person, person, **harmless)


async def test_users_who_have_not_signed_up_get_no_code(database_url: str, tmp_path: Path) -> None:
    """Rulings K67 and K92: confirm-sign-up refuses them, so a code would be of no use to them."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        user_id = await an_invited_user(world, "ann@people.test")
        shown = await change(world, user_id, world.system, email="ann@new.test", phone="+12025550147")
        attributes = shown["data"]["attributes"]
        assert (attributes["email"], attributes["phone"], attributes["state"]) == (
            "ann@new.test", "+12025550147", "init",
        )  # fmt: skip
        await world.catch_up()
        assert messages(world) == []


@pytest.mark.parametrize("channels", [{"sms": 65}, {"sms": 33, "email": 32}])
async def test_preferences_are_bounded(database_url: str, channels: dict[str, int]) -> None:
    """Decision 0024."""
    async with a_world(database_url, projecting=False) as world:
        person = await world.patient(await world.organization())
        given: dict[str, Any] = {name: {"a": "x" * size * KIBIBYTE} for name, size in channels.items()}
        refused = at("invalid-attribute", "communication-preferences")
        assert await refusals(world, person, person, 400, communication_preferences=given) == refused
        attributes = {
            "organization": str(await world.organization()), "patient-email": "ben@people.test",
            "communication-preferences": given,
        }  # fmt: skip
        body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
        (error,) = (await world.post("/v1/onboarding-requests/", body, world.system, 400))["errors"]
        assert [(error["code"], error["source"]["pointer"])] == refused


async def test_preferences_do_not_grow_channel_by_channel(database_url: str) -> None:
    """Decision 0024."""
    async with a_world(database_url, projecting=False) as world:
        person = await world.patient(await world.organization())
        large = {"a": "x" * 40 * KIBIBYTE}
        await change(world, person, person, communication_preferences={"sms": large})
        refused = at("invalid-attribute", "communication-preferences")
        assert await refusals(world, person, person, 400, communication_preferences={"web": large}) == refused
        await change(world, person, person, communication_preferences={"sms": None, "web": large})
