"""Edges of sign-ups, invitations and confirmations (rulings K2, K84, K86, K87, K90, K101 and K108)."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from domain.onboarding.requests import OnboardingRequest
from domain.people.users import User
from tests.api.onboarding.test_claims import code_of
from tests.api.onboarding.test_reading import created
from tests.api.onboarding.test_referral_codes import ANN, NOT_FOUND, look_up, refusal
from tests.api.onboarding.test_registration_invitations import claimed_times
from tests.api.onboarding.test_registration_invitations import invited as invite_address
from tests.api.onboarding.test_request_changes import change as readdress
from tests.api.organizations.templates import an_employee
from tests.api.organizations.test_enrollment_codes import a_code
from tests.api.people.test_codes import ask, codes, registered
from tests.api.people.test_codes import refusal as code_refusal
from tests.api.people.test_referral_sign_ups import ADDRESS, NEW, NUMBER, given
from tests.api.people.test_sign_ups import OPEN, signed_up, user_named
from tests.api.people.test_user_changes import change
from tests.api.people.test_users import shown
from tests.support.world.product import World, a_world


async def test_the_first_day_and_today_are_days_of_birth(database_url: str, noted_values: set[str]) -> None:
    """Ruling K87."""
    async with a_world(database_url, **OPEN) as world:
        await a_code(world, await world.organization())
        today = datetime.now(UTC).date().isoformat()
        for number, day in enumerate(("1900-01-01", today)):
            email = f"{number}@people.test"
            await signed_up(world, username=email, birth_date=day)
            user = (await user_named(world, email)).id
            assert (await shown(world, world.system, user))["birth-date"] == day
        noted_values.discard(today)  # it stands in the time of every event


@pytest.mark.parametrize(
    ("channel", "address", "verified"),
    [("email", ADDRESS, ("email-verified", "phone-verified")), ("sms", NUMBER, ("phone-verified", "email-verified"))],
)
async def test_a_sign_up_that_confirms_at_once_verifies_the_invited_contact(
    database_url: str, tmp_path: Path, channel: str, address: str, verified: tuple[str, str]
) -> None:
    """Ruling K86: the contact whose invitation was used, and no other."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        wanted = {**ANN, "phone-number": NUMBER, "notifications": [channel], "auto-confirm": True}
        await created(world, world.system, await world.organization(), **wanted)
        (code,) = await codes(world, address, "onboarding")
        assert (await ask(world, "sign-up", **given(code))).status_code == 201
        user_id = (await user_named(world, ADDRESS)).id
        attributes = await shown(world, world.system, user_id)
        assert (attributes["state"], *(attributes[name] for name in verified)) == ("confirmed", True, False)


async def test_a_time_zone_is_known_and_gives_way_to_the_chosen_one(database_url: str, tmp_path: Path) -> None:
    """Ruling K90."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        user_id = await registered(world, ADDRESS)
        await change(world, user_id, world.system, tz="Europe/Paris")
        await ask(world, "resend-confirmation", username=ADDRESS)
        (code,) = await codes(world, ADDRESS, "verify-email")
        typed = {"username": ADDRESS, "confirmation_code": code}
        unknown = await code_refusal(world, "confirm-sign-up", **typed, tz="Mars/Base")
        assert unknown == ("invalid-attribute", "/tz")
        answer = await ask(world, "confirm-sign-up", **typed, tz="Europe/Madrid", login=True)
        assert (answer.json()["tz"], answer.json()["tz-explicit"]) == ("Europe/Paris", True)


async def test_a_void_referral_code_is_unknown(database_url: str) -> None:
    """Ruling K101."""
    async with a_world(database_url) as world:
        request = await created(world, world.system, await world.organization(), **ANN)
        code = code_of(world, request["attributes"])
        assert (await look_up(world, code=code)).status_code == 201
        await readdress(world, world.system, request["id"], "anna@people.test")
        assert refusal(await look_up(world, code=code)) == NOT_FOUND


async def test_staff_find_requests_by_address(database_url: str) -> None:
    """Ruling K2: they read every organization."""
    async with a_world(database_url) as world:
        north = await world.organization()
        await created(world, world.system, north, **ANN)
        found = await look_up(world, await an_employee(world), email="ANN@people.test")
        assert found.json()["data"]["attributes"]["organization"]["id"] == str(north)


async def test_a_request_moves_to_a_known_user_who_is_not_confirmed(database_url: str) -> None:
    """Ruling K84: nothing of them changes, and the answer does not tell."""
    async with a_world(database_url) as world:
        ben = await registered(world, "ben@people.test")
        before = await world.identity.store.get(User, ben)
        south = await world.organization()
        request = await created(world, await world.admin(south), south, **ANN)
        answer = await readdress(world, world.system, request["id"], "ben@people.test")
        told = answer.json()["data"]["attributes"]
        assert (answer.status_code, told["patient-email"], told["status"]) == (200, "ben@people.test", "created")
        assert (told["claimed-by"], told["patient"]) == (None, None)
        assert (await about(world, request["id"])).user_id == ben
        assert (await world.identity.store.get(User, ben)).version == before.version


async def about(world: World, request_id: str) -> OnboardingRequest:
    return await world.identity.store.get(OnboardingRequest, UUID(request_id))


@pytest.mark.parametrize("operation", ["confirm-sign-up", "confirm-forgot-password"])
async def test_a_confirmation_claims_the_invitation_to_register(
    database_url: str, tmp_path: Path, operation: str
) -> None:
    """Ruling K108."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        await invite_address(world, ADDRESS, await world.admin(await world.organization()))
        await registered(world, ADDRESS)
        assert await claimed_times(world) == [None]
        requested, template, more = {
            "confirm-sign-up": ("resend-confirmation", "verify-email", {}),
            "confirm-forgot-password": ("forgot-password", "forgot-password", {"password": NEW}),
        }[operation]
        await ask(world, requested, username=ADDRESS)
        (code,) = await codes(world, ADDRESS, template)
        assert (await ask(world, operation, username=ADDRESS, confirmation_code=code, **more)).is_success
        (claimed,) = await claimed_times(world)
        assert claimed is not None
