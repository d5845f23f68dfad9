"""A referral code leads to whoever has its contact when it is used (rulings K8, K84, K99, A1 and O2)."""

from pathlib import Path
from typing import Any

import pytest

from domain.people.login_names import parse_login_name
from tests.api.onboarding.test_claims import claim
from tests.api.onboarding.test_proofs import a_confirmed_person, shown_user, user_of
from tests.api.onboarding.test_reading import resend
from tests.api.onboarding.test_request_changes import change
from tests.api.onboarding.test_requests import allowed
from tests.api.onboarding.test_requests import ask as ask_to_onboard
from tests.api.people.test_codes import ask, codes, log_in
from tests.api.people.test_referral_sign_ups import ADDRESS, NEW, NUMBER, given, invited, request_of
from tests.support.world.product import World, a_world

RIGHT = "right@people.test"
BOTH = {"patient-email": ADDRESS, "phone-number": NUMBER, "notifications": ["sms"]}
MINE = {"username": NUMBER, "password": NEW, "source": "sms"}


async def confirm(world: World, name: str, template: str) -> None:
    code = (await codes(world, name, template))[-1]
    assert (await ask(world, "confirm-sign-up", username=name, confirmation_code=code)).is_success


async def test_a_confirmation_claims_only_the_request_of_the_last_sign_up(database_url: str, tmp_path: Path) -> None:
    """Ruling K99: an inviter who signs up again after the person gets nothing that is meant for the person."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north, south = await world.organization(), await world.organization()
        await ask_to_onboard(world, await world.admin(north), north, **BOTH, **{"onboard-type": "provider"})
        (mine,) = await codes(world, NUMBER, "onboarding-provider")
        assert (await ask(world, "sign-up", **given(mine, **MINE))).is_success
        wanted = {"onboard-type": "provider", "provider-roles": ["org.admin"]}
        request, theirs = await invited(world, await world.admin(south), south, **wanted)
        assert (await ask(world, "sign-up", **given(theirs))).is_success
        assert (await ask(world, "sign-up", **given(mine, **MINE))).is_success
        await confirm(world, NUMBER, "verify")
        assert (await request_of(world, request, world.system))["status"] != "claimed"
        other = await user_of(world, ADDRESS)
        assert not await allowed(world, other, f"organization:{south}:write")


async def test_a_correction_leaves_the_invitation_of_another_organization(database_url: str, tmp_path: Path) -> None:
    """Ruling K84: the user of the corrected request was the person of the other one as well."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north, south = await world.organization(), await world.organization()
        admin = await world.admin(north)
        mistaken, _ = await invited(world, admin, north)
        request, theirs = await invited(world, await world.admin(south), south)
        assert (await ask(world, "sign-up", **given(theirs))).is_success
        assert (await change(world, admin, mistaken["id"], RIGHT)).status_code == 200
        await confirm(world, ADDRESS, "verify-email")
        assert (await request_of(world, request, world.system))["status"] == "claimed"
        (right,) = await codes(world, RIGHT, "onboarding")
        assert (await ask(world, "sign-up", **given(right, username=RIGHT))).is_success
        assert await user_of(world, RIGHT) != await user_of(world, ADDRESS)


@pytest.mark.parametrize("own", [False, True])
async def test_a_person_gets_in_although_a_number_confirmed_the_invited_user(
    database_url: str, tmp_path: Path, *, own: bool
) -> None:
    """Rulings O2 and K8: with a new account, or with one of their own that has the address by now."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north, south = await world.organization(), await world.organization()
        await ask_to_onboard(world, await world.provider(north), north, **BOTH)
        (mine,) = await codes(world, NUMBER, "onboarding")
        request, theirs = await invited(world, await world.admin(south), south)
        assert (await ask(world, "sign-up", **given(mine, **MINE), set_username="email")).is_success
        await confirm(world, NUMBER, "verify")
        other = await user_of(world, ADDRESS)
        if own:
            ann = await a_confirmed_person(world, ADDRESS, await world.organization())
            assert (await claim(world, ann, theirs)).status_code == 201
        else:
            assert (await ask(world, "sign-up", **given(theirs))).is_success
            await confirm(world, ADDRESS, "verify-email")
        shown = await request_of(world, request, world.system)
        assert (shown["status"], shown["claimed-by"] == str(other)) == ("claimed", False)


async def test_no_answer_tells_whose_address_a_request_names(database_url: str, tmp_path: Path) -> None:
    """Ruling A1: the code that went to the inviter's number answers alike for known and unknown addresses."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        south = await world.organization()
        await a_confirmed_person(world, ADDRESS, await world.organization())
        provider = await world.provider(south)
        wanted: dict[str, Any] = {"patient-email": "u0@people.test", "phone-number": NUMBER, "notifications": []}
        await ask_to_onboard(world, provider, south, **wanted)
        await world.catch_up()
        (listed,) = (await world.get("/v1/onboarding-requests/", provider, organization=str(south)))["data"]
        assert (await resend(world, provider, listed["id"])).is_success
        (mine,) = await codes(world, NUMBER, "onboarding")
        for address in ("u1@people.test", ADDRESS, "u2@people.test"):
            assert (await change(world, provider, listed["id"], address)).status_code == 200
            assert (await ask(world, "sign-up", **given(mine, **MINE))).status_code == 201


async def test_an_account_has_no_contact_that_only_the_inviter_typed(database_url: str, tmp_path: Path) -> None:
    """Ruling K85, but for its order: the address may be the inviter's, who would verify it, log in and reset."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        await ask_to_onboard(world, await world.provider(north), north, **BOTH)
        (theirs,) = await codes(world, NUMBER, "onboarding")
        assert (await ask(world, "sign-up", **given(theirs, username="ann.lee"))).is_success
        assert await codes(world, ADDRESS, "verify-email") == []
        await confirm(world, NUMBER, "verify")
        assert await log_in(world, "ann.lee", given(theirs)["password"]) == 201
        (user_id,) = await world.services.directory.users_named([parse_login_name(NUMBER)])
        user = await shown_user(world, user_id)
        assert (user["phone"], user["phone-verified"], user["email"]) == (NUMBER, True, None)
        await ask(world, "resend-confirmation", username=ADDRESS)
        assert await codes(world, ADDRESS, "verify") + await codes(world, ADDRESS, "reverify-email") == []
