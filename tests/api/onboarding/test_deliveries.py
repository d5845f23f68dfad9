"""What requests show of their last e-mail: `last-invite` and `email-dsn` (rulings K43, K96 and K100)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from psycopg import AsyncConnection

from tests.api.onboarding.test_reading import ANN, REQUESTS, created, resend
from tests.support.followers import eventually
from tests.support.jobs import a_worker
from tests.support.message_servers import a_mail_server
from tests.support.world.product import a_world

pytestmark = pytest.mark.slow


async def test_a_message_that_is_refused_for_good_shows_as_failed_and_bounced(database_url: str) -> None:
    """K43 and K100: the error has no address, and the user's invitation has failed."""
    async with (
        a_mail_server("554 never") as server,
        a_world(database_url, smtp_url=server.url) as world,
        await AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        north = await world.organization()
        admin = await world.admin(north)
        request = await created(world, admin, north, **ANN, notifications=["email"])
        async with a_worker(world):
            await eventually(owner, "SELECT status::text FROM procrastinate_jobs", "failed", seconds=30)
        await world.catch_up()
        shown = (await world.get(f"{REQUESTS}{request['id']}/", admin))["data"]["attributes"]
        invite = shown["last-invite"]["email"]
        assert (shown["status"], invite["status"], invite["error"]) == ("created", "failed", "smtp-554")
        assert shown["email-dsn"]["attributes"]["state"] == "bounced"
        assert shown["email-dsn"]["attributes"]["bounce"] == {"type": "Permanent", "subtype": "General"}
        people = {"filter[include-participants]": "true", "filter[include-unverified]": "true"}
        (user,) = (await world.get("/v1/users/", world.system, 200, email="ann@people.test", **people))["data"]
        assert user["attributes"]["registration-invite"] == "failed"


@pytest.mark.parametrize(
    ("settings", "days", "error", "bounce"),
    [({}, 0, "no-outbox", "Permanent"), ({"referral_code_seconds": 86_400}, 2, "expired", "Transient")],
    ids=["refused", "too late"],
)
async def test_a_message_that_was_never_handed_over_shows_as_bounced(
    database_url: str, settings: dict[str, Any], days: int, error: str, bounce: str
) -> None:
    """K43."""
    async with a_world(database_url, projecting=False, **settings) as world:
        request = await created(world, world.system, await world.organization(), **ANN, notifications=["email"])
        with time_machine.travel(timedelta(days=days)):
            await world.catch_up()
        await world.catch_up()
        system = await world.as_(world.system.user_id)
        shown = (await world.get(f"{REQUESTS}{request['id']}/", system))["data"]["attributes"]
        invite, delivery = shown["last-invite"]["email"], shown["email-dsn"]["attributes"]
        assert (invite["status"], invite["error"]) == ("failed", error)
        assert (delivery["state"], delivery["bounce"]) == ("bounced", {"type": bounce, "subtype": "General"})


async def test_a_delivery_to_a_former_address_is_not_shown(database_url: str, tmp_path: Path) -> None:
    """K96: nothing has been sent to the new address."""
    async with a_world(database_url, outbox=tmp_path) as world:
        north = await world.organization()
        request = await created(world, world.system, north, **ANN, notifications=[])
        path = f"{REQUESTS}{request['id']}/"
        await resend(world, world.system, request["id"])
        await world.catch_up()
        assert (await world.get(path, world.system))["data"]["attributes"]["email-dsn"] is not None
        body = {"data": {"type": "onboarding-requests", "id": request["id"], "attributes": {"email": "x@people.test"}}}
        shown = (await world.patch(path, body, world.system))["data"]["attributes"]
        assert (shown["patient-email"], shown["email-dsn"]) == ("x@people.test", None)
        await world.catch_up()
        for query in (path, f"{path}?"):
            assert (await world.get(query, world.system))["data"]["attributes"] == shown
        await resend(world, world.system, request["id"])
        await world.catch_up()
        shown = (await world.get(path, world.system))["data"]["attributes"]
        assert shown["email-dsn"]["attributes"]["email"] == "x@people.test"
