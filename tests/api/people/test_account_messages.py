"""Which messages go out about accounts, to whom and in which words (rulings K12 to K14, K33, K38 to K41, K92, K93)."""

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from tests.api.onboarding.test_requests import ask as invite
from tests.api.organizations.test_enrollment_codes import a_code
from tests.api.people.test_codes import NEW_PASSWORD, ask, codes, messages, registered
from tests.api.people.test_sign_ups import ADA, OPEN, signed_up, user_named
from tests.api.people.test_user_changes import change
from tests.api.people.test_user_search import archive
from tests.support.followers import eventually
from tests.support.message_servers import a_text_provider
from tests.support.world.product import World, a_world

ANN, PHONE = "ann@people.test", "+12025550147"


async def sent(world: World, to: str | None = None) -> list[tuple[str, str]]:
    """The kinds and templates of the messages to this address, or of all."""
    await world.catch_up()
    return [(message["kind"], message["template"]) for message in messages(world, to)]


async def test_a_code_for_a_forgotten_password_goes_by_text_message(database_url: str, tmp_path: Path) -> None:
    """Rulings K38 and K39."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        await registered(world, ANN, **{"phone-number": PHONE})
        await ask(world, "forgot-password", username=ANN, source="sms")
        assert await sent(world) == [("sms", "reset-password")]
        (text,) = messages(world, PHONE)
        assert (text["locale"], text["link"], text["code"] in text["text"]) == ("en_US", None, True)


@pytest.mark.parametrize(("kind", "template"), [("patient", "onboarding"), ("provider", "onboarding-provider")])
async def test_an_invitation_goes_by_text_message(database_url: str, tmp_path: Path, kind: str, template: str) -> None:
    """Rulings K38 and K39."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        await invite(
            world, world.system, north, **{"phone-number": PHONE, "onboard-type": kind, "notifications": ["sms"]}
        )
        assert await sent(world) == [("sms", template)]
        (text,) = messages(world, PHONE)
        assert (text["code"] in text["text"], text["link"] in text["text"]) == (True, True)


async def test_messages_have_the_locale_of_the_user_or_the_sign_up(database_url: str, tmp_path: Path) -> None:
    """Ruling K39, for invitations as for codes."""
    async with a_world(database_url, outbox=tmp_path / "outbox", **OPEN) as world:
        north, south = await world.organization(), await world.organization()
        await a_code(world, north)
        await signed_up(world, locale="es_US")
        (code,) = await codes(world, ADA, "verify-email")
        await ask(world, "confirm-sign-up", username=ADA, confirmation_code=code)
        await invite(world, world.system, south, **{"patient-email": ADA, "notifications": ["email"]})
        await world.catch_up()
        ada = await world.as_((await user_named(world)).id)
        await change(world, ada, ada, locale="en_US")
        await ask(world, "forgot-password", username=ADA)
        await world.catch_up()
        found = [(message["template"], message["locale"]) for message in messages(world, ADA)]
        assert found == [("verify-email", "es_US"), ("onboarding", "es_US"), ("forgot-password", "en_US")]
        assert "invita" in messages(world, ADA)[1]["subject"]
        assert "invites" not in messages(world, ADA)[1]["subject"]


async def test_links_and_senders_of_mail_are_settings(database_url: str, tmp_path: Path) -> None:
    """Rulings K12 and K13."""
    urls = {"public_url": "https://api.test", "link_url": "https://care.test/app/"}
    given: dict[str, Any] = {"mail_from": "North Clinic <care@north.test>", **urls}
    async with a_world(database_url, outbox=tmp_path / "outbox", **given) as world:
        await invite(
            world, world.system, await world.organization(), **{"patient-email": ANN, "notifications": ["email"]}
        )
        await world.catch_up()
        (mail,) = messages(world)
        assert mail["from"] == "North Clinic <care@north.test>"
        assert mail["link"] == f"https://care.test/app/sign-up?referral-code={mail['code']}"
        assert mail["link"] in mail["text"]


async def test_signature_and_sender_of_text_messages_are_settings(database_url: str) -> None:
    """Rulings K14 and K40."""
    secret = f"whsec_{base64.b64encode(b'of the provider').decode()}"
    with a_text_provider() as provider:
        given: dict[str, Any] = {"sms_url": provider.url, "sms_secret": secret, "sms_from": "+12025550100"}
        async with a_world(database_url, **given) as world:
            await registered(world, ANN, **{"phone-number": PHONE})
            await ask(world, "resend-confirmation", username=ANN, source="sms")
            await world.catch_up()
    ((text,), (headers,), (body,)) = provider.texts, provider.headers, provider.bodies
    assert (text["to"], text["from"], set(text)) == (PHONE, "+12025550100", {"id", "to", "from", "text"})
    signed = f"{text['id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(b"of the provider", signed, hashlib.sha256).digest()).decode()
    assert (headers["webhook-id"], headers["webhook-signature"]) == (text["id"], f"v1,{digest}")


async def test_a_changed_phone_number_and_a_reset_by_support_are_noticed(database_url: str, tmp_path: Path) -> None:
    """Ruling K41."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), ANN)
        await change(world, person, person, phone=PHONE)
        await world.catch_up()
        support = {"context": "carium-support", "new-password": NEW_PASSWORD}
        await world.post(f"/v1/users/{person.user_id}/change-password/", support, world.system)
        assert await sent(world, ANN) == [("email", "security-notice")] * 2
        subjects = {message["subject"] for message in messages(world, ANN)}
        assert len(subjects) == 2
        assert {(message["code"], message["link"]) for message in messages(world, ANN)} == {(None, None)}


async def test_confirmation_and_reset_codes_stand_nowhere_in_clear(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Ruling K33: neither in jobs, events and failures nor in the log."""
    async with (
        a_world(database_url, outbox=tmp_path / "outbox") as world,
        await AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        await registered(world, ANN)
        await ask(world, "resend-confirmation", username=ANN)
        await ask(world, "forgot-password", username=ANN)
        await eventually(owner, "SELECT count(*) FROM procrastinate_jobs", 2)
        everything = await _texts(owner, "SELECT args::text FROM procrastinate_jobs")
        await world.catch_up()
        secrets = [message["code"] for message in messages(world, ANN)]
        for typed in ("00000000", secrets[0]):
            await ask(world, "confirm-sign-up", username=ANN, confirmation_code=typed)
        everything += await _texts(owner, "SELECT convert_from(state, 'UTF8') FROM events")
        everything += await _texts(owner, "SELECT error FROM job_failures")
    everything += capsys.readouterr().out + caplog.text
    assert len(secrets) == 2
    assert [secret for secret in secrets if secret in everything] == []


async def _texts(connection: AsyncConnection, query: str) -> str:
    cursor = await connection.execute(query.encode())
    return "\n".join(row[0] for row in await cursor.fetchall())


async def test_archived_and_invited_users_get_no_code(database_url: str, tmp_path: Path) -> None:
    """Ruling K92."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        await invite(world, world.system, north, **{"patient-email": ANN, "notifications": []})
        gone = await world.patient(north, "ben@people.test")
        await archive(world, gone.user_id)
        for name in (ANN, "ben@people.test"):
            for operation in ("forgot-password", "resend-confirmation"):
                assert (await ask(world, operation, username=name)).json() == {}
        assert await sent(world) == []


async def test_a_changed_contact_gets_another_code_if_asked_for(database_url: str, tmp_path: Path) -> None:
    """Ruling K93: the messages of confirmed users have templates of their own."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), "ben@people.test")
        await change(world, person, person, email=ANN, phone=PHONE)
        await world.catch_up()
        for channel in ("email", "sms"):
            await ask(world, "resend-confirmation", username=ANN, source=channel)
        assert await sent(world, ANN) == [("email", "reverify-email")] * 2
        assert await sent(world, PHONE) == [("sms", "verify")] * 2
        code = (await codes(world, ANN, "reverify-email"))[-1]
        assert (await ask(world, "confirm-sign-up", username=ANN, confirmation_code=code)).is_success
        await ask(world, "resend-confirmation", username=ANN, source="email")
        assert len(await sent(world, ANN)) == 2
