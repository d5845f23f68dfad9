"""The person of an onboarding request is invited, once at least, and nothing of it stands in clear."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from psycopg import AsyncConnection

from domain.onboarding.invitation_messages import InvitationMessages
from domain.onboarding.referral_codes import hash_of_code
from domain.onboarding.requests import OnboardingRequest
from tests.api.onboarding.test_requests import AT_ONCE, ask
from tests.support.followers import eventually
from tests.support.jobs import a_worker
from tests.support.message_servers import MailServer, a_mail_server, a_text_provider
from tests.support.world.product import World, a_world
from workers.jobs import kinds
from workers.jobs.kinds import BackOff

pytestmark = pytest.mark.slow

CODE = re.compile("[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")
SENT = "SELECT count(*) FROM invitations WHERE NOT pending"
ANN = {"patient-email": "ann@people.test", "notifications": ["email"]}


async def a_worker_process(world: World, smtp_url: str) -> asyncio.subprocess.Process:
    """To be killed."""
    settings = world.settings
    assert settings.master_key is not None
    own = {
        "ROLLBOOK_APP_DATABASE_URL": settings.application_login(),
        "ROLLBOOK_MASTER_KEY": settings.master_key.get_secret_value(),
        "ROLLBOOK_SMTP_URL": smtp_url,
    }
    rollbook = str(Path(sys.executable).with_name("rollbook"))
    return await asyncio.create_subprocess_exec(
        sys.executable, rollbook, "worker", "jobs", env={**os.environ, **own}, stdout=asyncio.subprocess.DEVNULL
    )


@asynccontextmanager
async def a_mailing_world(
    database_url: str, *answers: str, **settings: Any
) -> AsyncIterator[tuple[MailServer, World, AsyncConnection]]:
    """A world that sends email to a server, and a connection of the owner. The server gives these answers first."""
    async with (
        a_mail_server(*answers) as server,
        a_world(database_url, smtp_url=server.url, **settings) as world,
        await AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        yield server, world, owner


async def an_email_to_ann(world: World) -> dict[str, Any]:
    """Return the last invitation by email of a new request."""
    request = await ask(world, world.system, await world.organization(), **ANN)
    invite: dict[str, Any] = request["last-invite"]["email"]
    return invite


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
        ({"patient-email": "ann@people.test", "notifications": []}, []),
        ({**AT_ONCE, "patient-email": "ann@people.test", "notifications": ["email"]}, []),
    ],
    ids=["absent", "absent, phone only", "sms", "both", "email-user-now", "none", "claimed at once"],
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
    async with a_world(database_url) as world:
        north = await world.organization()
        given = {"patient-email": "ann@people.test", "notifications": ["email", "sms"]}
        error = await ask(world, world.system, north, 400, **given)
        assert (error["code"], error["source"]["pointer"]) == ("invalid-attribute", "/data/attributes/notifications/1")


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


async def test_a_server_that_refuses_for_now_gets_the_same_message_again(database_url: str) -> None:
    async with a_mailing_world(database_url, "451 later") as (server, world, owner):
        north = await world.organization()
        request = await ask(world, world.system, north, **ANN)
        async with a_worker(world):
            await eventually(owner, SENT, 1, seconds=30)
        (mail,) = server.mails
        assert mail["X-Rollbook-Message"] == request["last-invite"]["email"]["id"]
        await eventually(owner, "SELECT count(*) FROM procrastinate_jobs", 0)


async def test_an_invitation_is_not_sent_after_its_code_has_expired(database_url: str) -> None:
    """Ruling K43."""
    async with (
        a_mail_server() as server,
        a_world(database_url, smtp_url=server.url, referral_code_seconds=60) as world,
        await AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        north = await world.organization()
        invite = (await ask(world, world.system, north, **ANN))["last-invite"]["email"]
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61)):
            async with a_worker(world):
                await eventually(owner, "SELECT count(*) FROM invitations WHERE NOT pending", 1, seconds=30)
        (stored,) = (await shown(world, invite["id"])).invites.values()
        assert (stored.status, stored.error, server.mails) == ("failed", "expired", [])


async def test_a_permanently_refused_message_has_failed_and_its_job_is_dead(database_url: str) -> None:
    async with a_mailing_world(database_url, "554 never") as (server, world, owner):
        invite = await an_email_to_ann(world)
        async with a_worker(world):
            await eventually(owner, "SELECT status::text FROM procrastinate_jobs", "failed", seconds=30)
        await world.catch_up()
        (stored,) = (await shown(world, invite["id"])).invites.values()
        assert (stored.status, stored.error) == ("failed", "smtp-554")
        await owner.execute("UPDATE procrastinate_jobs SET status = 'todo', attempts = 0")  # `rollbook jobs retry`
        await world.catch_up()
        (stored,) = (await shown(world, invite["id"])).invites.values()
        assert (stored.status, stored.error, len(server.mails)) == ("sent", None, 1)


async def test_a_message_whose_job_dies_has_failed(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BackOff, "get_retry_decision", lambda *_, **__: None)
    async with a_mailing_world(database_url, "451 later") as (_, world, owner):
        invite = await an_email_to_ann(world)
        async with a_worker(world):
            await eventually(owner, SENT, 1, seconds=30)
        (stored,) = (await shown(world, invite["id"])).invites.values()
        assert (stored.status, stored.error) == ("failed", "job-dead")


async def test_a_crash_between_sending_and_recording_sends_the_same_message_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = InvitationMessages._record_sent
    crashes = [ConnectionError]

    async def crash_once(self: InvitationMessages, request_id: UUID, message_id: UUID) -> int:
        if crashes:
            raise crashes.pop()
        return await recording(self, request_id, message_id)

    monkeypatch.setattr(InvitationMessages, "_record_sent", crash_once)
    async with a_mailing_world(database_url) as (server, world, owner):
        north = await world.organization()
        await ask(world, world.system, north, **ANN)
        async with a_worker(world):
            await eventually(owner, SENT, 1, seconds=30)
    first, second = server.mails
    assert first["Message-ID"] == second["Message-ID"]
    texts = [mail.get_body(("plain",)) for mail in (first, second)]
    assert texts[0] is not None
    assert texts[1] is not None
    assert texts[0].get_content() == texts[1].get_content()


async def test_a_worker_that_is_killed_while_it_sends_loses_no_message(database_url: str) -> None:
    async with a_mailing_world(database_url, job_stalled=3.0) as (server, world, owner):
        server.answering.clear()
        north = await world.organization()
        await ask(world, world.system, north, **ANN)
        killed = await a_worker_process(world, server.url)
        await asyncio.wait_for(server.taking.wait(), 60)
        killed.kill()
        await killed.wait()
        server.answering.set()
        async with a_worker(world):
            await eventually(owner, SENT, 1, seconds=60)
    first, second = server.mails
    assert first["Message-ID"] == second["Message-ID"]


async def test_nothing_is_lost_when_everything_stops_between_commit_and_sending(
    database_url: str, tmp_path: Path
) -> None:
    async with a_world(database_url, outbox=tmp_path, projecting=False) as world:
        north = await world.organization()
        await ask(world, world.system, north, **ANN)
        assert sent(tmp_path) == []
    async with a_world(database_url, outbox=tmp_path) as world:
        await world.catch_up()
        await world.catch_up()
    assert [message["to"] for message in sent(tmp_path)] == ["ann@people.test"]


async def test_neither_address_nor_code_stands_in_jobs_or_events(database_url: str, tmp_path: Path) -> None:
    async with (
        a_world(database_url, outbox=tmp_path) as world,
        await AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        north = await world.organization()
        await ask(world, world.system, north, **ANN)
        await eventually(owner, "SELECT count(*) FROM procrastinate_jobs", 1)
        cursor = await owner.execute("SELECT args::text FROM procrastinate_jobs")
        ((arguments,),) = await cursor.fetchall()
        assert set(json.loads(arguments)) == {"by", "request_id", "message_id"}
        await world.catch_up()
        (mail,) = sent(tmp_path)
        cursor = await owner.execute("SELECT convert_from(state, 'UTF8') FROM events")
        everything = "".join(row[0] for row in await cursor.fetchall())
        for secret in (mail["code"], mail["code"].replace("-", ""), "ann@people.test"):
            assert secret not in everything
            assert secret not in arguments


def test_a_message_is_tried_for_a_day() -> None:
    (retry,) = [kind.retry for kind in kinds.KINDS if kind.name == kinds.SEND_INVITATION]
    waits = [min(2**attempt, retry.max_wait) for attempt in range(retry.attempts - 1)]
    assert 24 * 3600 - 300 <= sum(waits) <= 24 * 3600 + 300
    assert max(waits) == 300
