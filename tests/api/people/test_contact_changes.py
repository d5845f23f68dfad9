"""What is counted, sent and refused when contacts and profiles of users are changed (rulings K66, K67 and K68)."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.api.people.test_codes import ask, codes, messages, registered, state
from tests.api.people.test_user_changes import at, change, position, refusals
from tests.api.people.test_users import onboarded
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


async def test_the_last_contact_stays_beside_a_plain_user_name(database_url: str) -> None:
    """Ruling K66."""
    async with a_world(database_url) as world:
        contact = {"patient-email": "nina@people.test", "username": "nina"}
        user_id = await onboarded(world, await world.organization(), contact)
        assert await refusals(world, user_id, world.system, 409, email=None) == at("conflict", "email")
        await change(world, user_id, world.system, phone="+12025550147")
        shown = (await change(world, user_id, world.system, email=None))["data"]["attributes"]
        assert (shown["email"], shown["phone"], shown["username"]) == (None, "+12025550147", "nina")
        assert await refusals(world, user_id, world.system, 409, phone=None) == at("conflict", "phone")


async def test_null_gives_up_the_choice_of_a_locale(database_url: str) -> None:
    """Ruling K66."""
    async with a_world(database_url) as world:
        person = await world.patient(await world.organization())
        for locale, explicit in (("es_US", True), (None, False)):
            shown = (await change(world, person, person, locale=locale))["data"]["attributes"]
            assert (shown["locale"], shown["locale-explicit"]) == (locale, explicit)


async def test_a_registered_user_is_confirmed_by_the_code_to_a_new_address(database_url: str, tmp_path: Path) -> None:
    """Ruling K67."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        user_id = await registered(world, "ann@people.test")
        await change(world, user_id, world.system, email="ann@new.test")
        (code,) = await codes(world, "ann@new.test", "reverify-email")
        assert (await ask(world, "confirm-sign-up", username="ann@new.test", confirmation_code=code)).is_success
        assert await state(world, user_id) == "confirmed"


async def test_a_number_is_compared_in_its_normal_form(database_url: str) -> None:
    """Rulings K67 and K80: that of another user is refused, one's own is no change."""
    async with a_world(database_url) as world:
        person, other = await world.people(await world.organization(), "patient", "patient")
        await change(world, other, other, phone="+12025550147")
        taken = at("already-exists", "phone")
        assert await refusals(world, person, person, 409, phone="+12025550147") == taken
        before = await position(world)
        await change(world, other, other, phone="+12025550147")
        assert await position(world) == before


async def test_null_makes_the_oldest_organization_the_default(database_url: str) -> None:
    """Rulings K68 and C5."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        doc = await world.provider(north)
        joining = {"data": {"type": "organizations", "attributes": {"user-id": str(doc.user_id)}}}
        await world.post(f"/v1/organizations/{south}/add-user/", joining, world.system)
        for chosen, current in ((str(south), south), (None, north)):
            shown = (await change(world, doc, doc, default_organization_id=chosen))["data"]["attributes"]
            assert (shown["default-organization-id"], shown["organization-id"]) == (chosen, str(current))
            authenticated = await world.post("/v1/authenticate/", {}, await world.as_(doc.user_id))
            assert authenticated["data"]["organization-id"] == str(current)


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
