"""What is left of the person who signed up first, when another one turns out to be meant (rulings K5, K8 and K84)."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import time_machine

from tests.api.onboarding.test_claims import claim
from tests.api.onboarding.test_proofs import shown_user, user_of
from tests.api.onboarding.test_request_changes import change
from tests.api.organizations.test_enrollment_codes import a_code
from tests.api.people.test_codes import MISMATCH, ask, codes, log_in, refusal
from tests.api.people.test_referral_sign_ups import ADDRESS, NEW, NUMBER, given, invited, request_of
from tests.api.people.test_sign_ups import OPEN
from tests.support.world.product import PASSWORD, a_world

RIGHT = "right@people.test"


@pytest.mark.parametrize("names", [{"username": NUMBER, "source": "sms"}, {"username": "former.person"}])
async def test_a_corrected_address_undoes_a_sign_up_through_the_former(
    database_url: str, tmp_path: Path, names: dict[str, str]
) -> None:
    """Ruling K84: neither their password nor their names nor a code of theirs open the account."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        admin = await world.admin(north)
        request, code = await invited(world, admin, north)
        assert (await ask(world, "sign-up", **given(code, **names))).is_success
        channel = (NUMBER, "verify") if "source" in names else (ADDRESS, "verify-email")
        (confirmation,) = await codes(world, *channel)
        user_id = await user_of(world, ADDRESS)
        assert (await change(world, admin, request["id"], RIGHT)).status_code == 200
        for name in (names["username"], RIGHT):
            assert await refusal(world, "confirm-sign-up", username=name, confirmation_code=confirmation) == MISMATCH
        await ask(world, "resend-confirmation", username=names["username"])
        assert await codes(world, RIGHT, "verify-email") == []
        user = await shown_user(world, user_id)
        assert (user["state"], user["email"], user["phone"], user["username"]) == ("init", RIGHT, None, RIGHT)
        (theirs,) = await codes(world, RIGHT, "onboarding")
        assert (await ask(world, "sign-up", **given(theirs, username=RIGHT, password=NEW))).is_success
        (confirmation,) = await codes(world, RIGHT, "verify-email")
        assert (await ask(world, "confirm-sign-up", username=RIGHT, confirmation_code=confirmation)).is_success
        assert (await log_in(world, RIGHT, NEW), await log_in(world, names["username"], PASSWORD)) == (201, 401)
        assert (await request_of(world, request, admin))["status"] == "claimed"


async def test_an_invitation_is_about_the_user_who_replaces_an_abandoned_one(database_url: str, tmp_path: Path) -> None:
    """Rulings K5 and K8: the code that was sent to the address leads to its new holder."""
    async with a_world(database_url, outbox=tmp_path / "outbox", **OPEN) as world:
        north, south = await world.organization(), await world.organization()
        await a_code(world, north)
        names = {"first_name": "Ann", "last_name": "Lee", "username": ADDRESS, "organization_code": "North-1"}
        assert (await ask(world, "sign-up", password=PASSWORD, **names)).is_success
        request, code = await invited(world, await world.admin(south), south)
        with time_machine.travel(timedelta(days=2)):
            assert (await ask(world, "sign-up", password=NEW, **names)).is_success
            confirmation = (await codes(world, ADDRESS, "verify-email"))[-1]
            body = {"username": ADDRESS, "confirmation_code": confirmation}
            assert (await ask(world, "confirm-sign-up", **body)).is_success
            ann = await world.as_(await user_of(world, ADDRESS))
            assert (await claim(world, ann, code)).status_code == 201
        shown = await request_of(world, request, world.system)
        assert (shown["status"], UUID(shown["claimed-by"])) == ("claimed", ann.user_id)
