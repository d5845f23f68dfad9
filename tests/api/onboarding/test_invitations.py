"""The person of an onboarding request is invited, once at least, and nothing of it stands in clear.

Rulings K12, K30, K34 to K39, K95 and K99.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from domain.core.codes import hash_of_code
from domain.onboarding.requests import OnboardingRequest
from tests.api.onboarding.test_requests import AT_ONCE, ask
from tests.support.message_servers import a_mail_server, a_text_provider
from tests.support.world.product import PASSWORD, World, a_world

pytestmark = pytest.mark.slow

CODE = re.compile("[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")
ANN = {"patient-email": "ann@people.test", "notifications": ["email"]}


def sent(outbox: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(outbox.glob("*.json"))]


async def shown(world: World, message_id: str) -> OnboardingRequest:
    """The request that the message invites to."""
    async with world.pool.connection() as connection:
        cursor = await connection.execute("SELECT request_id FROM invitations WHERE message_id = %s", [message_id])
        row = await cursor.fetchone()
    assert row is not None
    return await world.identity.store.get(OnboardingRequest, row[0])


async def test_an_invitation_arrives_in_the_outbox(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path, public_url="https://care.test/") as world:
        clinic: dict[str, Any] = {"display-name": "North Clinic"}
        north = await world.organization("north", **clinic)
        admin = await world.admin(north)
        request = await ask(world, admin, north, **ANN)
        invite = request["last-invite"]["email"]
        assert (invite["status"], invite["type"], request["last-invite"]["sms"]) == ("created", "email", None)
        await world.catch_up()
        (mail,) = sent(tmp_path)
        assert (mail["id"], mail["kind"], mail["to"]) == (invite["id"], "email", "ann@people.test")
        assert (mail["template"], mail["locale"], mail["organization-id"]) == ("onboarding", "en_US", str(north))
        assert (mail["from"], mail["reply-to"]) == ("Rollbook <no-reply@rollbook.local>", None)
        assert mail["subject"] == "North Clinic invites you"
        assert CODE.fullmatch(mail["code"])
        assert mail["link"] == f"https://care.test/sign-up?referral-code={mail['code']}"
        for text in (mail["text"], mail["html"]):
            assert mail["code"] in text
            assert mail["link"] in text
        stored = await shown(world, invite["id"])
        assert stored.status == "invited"
        (known,) = stored.invites.values()
        assert (known.status, known.code_hash) == ("sent", hash_of_code(mail["code"].lower().replace("-", " ")))


@pytest.mark.parametrize(
    ("given", "channels"),
    [
        ({"patient-email": "ann@people.test", "phone-number": "+12125550123"}, ["email"]),
        ({"phone-number": "+12125550123"}, ["sms"]),
        ({"patient-email": "a@p.test", "phone-number": "+12125550123", "notifications": ["sms"]}, ["sms"]),
        (
            {"patient-email": "a@p.test", "phone-number": "+12125550123", "notifications": ["sms", "email"]},
            ["email", "sms"],
        ),
        (
            {
                "patient-email": "a@p.test",
                "phone-number": "+12125550123",
                "notifications": ["sms"],
                "email-user-now": True,
            },
            ["email", "sms"],
        ),
        ({"patient-email": "ann@people.test", "notifications": ["email", "email"]}, ["email"]),
        ({"patient-email": "ann@people.test", "notifications": []}, []),
        ({**AT_ONCE, "patient-email": "ann@people.test", "notifications": ["email"]}, []),
    ],
    ids=["absent", "absent, phone only", "sms", "both", "email-user-now", "twice", "none", "claimed at once"],
)
async def test_the_channels_are_those_that_were_asked_for(
    database_url: str, tmp_path: Path, given: dict[str, Any], channels: list[str]
) -> None:
    async with a_world(database_url, outbox=tmp_path) as world:
        north = await world.organization()
        attributes = {"organization": str(north), "onboard-type": "patient", **given}
        body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
        await world.post("/v1/onboarding-requests/", body, world.system)
        await world.catch_up()
        assert sorted(message["kind"] for message in sent(tmp_path)) == channels


async def test_a_channel_without_a_contact_is_refused(database_url: str) -> None:
    """Ruling K95: the pointer is to the place where the channel was sent."""
    async with a_world(database_url) as world:
        north = await world.organization()
        given: dict[str, Any] = {"patient-email": "ann@people.test"}
        for notifications, index in ((["email", "sms"], 1), (["email", "email", "sms"], 2)):
            error = await ask(world, world.system, north, 400, **{**given, "notifications": notifications})
            pointer = f"/data/attributes/notifications/{index}"
            assert (error["code"], error["source"]["pointer"]) == ("invalid-attribute", pointer)


async def test_the_organizations_template_and_theme_say_it_in_their_words(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path) as world:
        clinic: dict[str, Any] = {"display-name": "North & Co"}
        north = await world.organization("north", **clinic)
        admin = await world.admin(north)
        theme = {"domain": "care.north.test", "support-email": "help@north.test", "support-email-name": "North help"}
        body = {"data": {"type": "organization-themes", "attributes": theme}}
        made = await world.post("/v1/organization-themes/", body, world.system)
        changed = {"type": "organizations", "id": str(north), "attributes": {"theme-id": made["data"]["id"]}}
        await world.patch(f"/v1/organizations/{north}/", {"data": changed}, world.system)
        template = {
            "organization-id": str(north), "type": "onboarding-provider", "locale": "en_US", "format": "html",
            "subject": "Join {{organization_name}}", "template": "<p>{{organization_name}} at {{domain}}: {{link}}</p>",
            "support-email": "support@north.test", "support-email-title": "The desk",
        }  # fmt: skip
        body = {"data": {"type": "organization-email-templates", "attributes": template}}
        await world.post("/v1/organization-email-templates/", body, admin)
        await ask(world, admin, north, **ANN, **{"onboard-type": "provider"})
        await world.catch_up()
        (mail,) = sent(tmp_path)
        assert (mail["subject"], mail["text"]) == ("Join North & Co", None)
        link = f"https://care.north.test/sign-up?referral-code={mail['code']}"
        assert mail["link"] == link
        assert mail["html"] == f"<p>North &amp; Co at care.north.test: {link}</p>"
        assert (mail["from"], mail["reply-to"]) == ("North help <help@north.test>", "The desk <support@north.test>")


async def test_over_smtp_and_http_no_file_is_written(database_url: str, tmp_path: Path) -> None:
    with a_text_provider() as provider:
        async with a_mail_server() as server:
            urls: dict[str, Any] = {"smtp_url": server.url, "sms_url": provider.url}
            async with a_world(database_url, outbox=tmp_path, **urls) as world:
                north = await world.organization()
                given = {**ANN, "phone-number": "+12125550123", "notifications": ["email", "sms"]}
                request = await ask(world, world.system, north, **given)
                await world.catch_up()
        (mail,) = server.mails
        assert mail["X-Rollbook-Message"] == request["last-invite"]["email"]["id"]
        assert [text["id"] for text in provider.texts] == [request["last-invite"]["sms"]["id"]]
        assert sent(tmp_path) == []


async def test_who_is_signed_up_gets_a_confirmation_code_and_claims_with_it(database_url: str, tmp_path: Path) -> None:
    """Rulings K95 and K99."""
    async with a_world(database_url, outbox=tmp_path) as world:
        north = await world.organization()
        admin = await world.admin(north)
        signed_up = {"auto-sign-up": True, "password": PASSWORD}
        request = await ask(world, admin, north, **ANN, **signed_up)
        assert (request["status"], request["last-invite"]["email"]) == ("registering", None)
        await world.catch_up()
        (mail,) = sent(tmp_path)
        assert (mail["template"], mail["to"], mail["link"]) == ("verify-email", "ann@people.test", None)
        confirmation = {"username": "ann@people.test", "confirmation-code": mail["code"]}
        answer = await world.client.post("/v1/confirm-sign-up/", json=confirmation)
        assert answer.status_code == 201, answer.text
        listed = await world.get("/v1/onboarding-requests/", admin, 200, organization=north, email="ann@people.test")
        (shown,) = (row["attributes"] for row in listed["data"])
        assert (shown["status"], shown["done"]) == ("claimed", True)
        user = (await world.get(f"/v1/users/{shown['claimed-by']}/", admin))["data"]["attributes"]
        assert (user["state"], user["email-verified"], user["registration-invite"]) == ("confirmed", True, "accepted")


async def test_the_confirmation_code_goes_over_the_requested_channels(database_url: str, tmp_path: Path) -> None:
    """Ruling K95."""
    async with a_world(database_url, outbox=tmp_path) as world:
        north = await world.organization()
        signed_up = {"auto-sign-up": True, "password": PASSWORD, "phone-number": "+12125550123"}
        await ask(world, world.system, north, **signed_up, notifications=["sms"])
        other = {"phone-number": "+12125550124", "notifications": []}
        await ask(world, world.system, north, **{**signed_up, **other})
        await world.catch_up()
        assert [(text["template"], text["to"]) for text in sent(tmp_path)] == [("verify", "+12125550123")]


async def test_a_code_to_a_former_address_confirms_nothing(database_url: str, tmp_path: Path) -> None:
    """Ruling K84."""
    async with a_world(database_url, outbox=tmp_path) as world:
        north = await world.organization()
        await ask(world, world.system, north, **ANN, **{"auto-sign-up": True, "password": PASSWORD})
        await world.catch_up()
        (mail,) = sent(tmp_path)
        (row,) = (await world.get("/v1/onboarding-requests/", world.system, 200, organization=north))["data"]
        data = {"type": "onboarding-requests", "id": row["id"], "attributes": {"email": "anna@people.test"}}
        await world.patch(f"/v1/onboarding-requests/{row['id']}/", {"data": data}, world.system)
        for name in ("ann@people.test", "anna@people.test"):
            confirmation = {"username": name, "confirmation-code": mail["code"]}
            answer = await world.client.post("/v1/confirm-sign-up/", json=confirmation)
            assert [error["code"] for error in answer.json()["errors"]] == ["code-mismatch"]
