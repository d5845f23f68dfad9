"""Invitations are sent at least once, whatever fails (rulings K33, K34 and K43)."""

import asyncio
import json
import os
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
from structlog.testing import CapturingLogger

from domain.onboarding.invitation_messages import InvitationMessages
from tests.api.onboarding.test_invitations import ANN, sent, shown
from tests.api.onboarding.test_requests import ask
from tests.support.followers import eventually
from tests.support.jobs import a_worker
from tests.support.message_servers import MailServer, a_mail_server
from tests.support.world.product import World, a_world
from workers.jobs import kinds
from workers.jobs.kinds import BackOff

pytestmark = pytest.mark.slow


STATUS = "SELECT status::text FROM procrastinate_jobs"
SENT = "SELECT count(*) FROM invitations WHERE NOT pending"


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


async def test_a_server_that_refuses_for_now_gets_the_same_message_again(database_url: str) -> None:
    async with a_mailing_world(database_url, "451 later") as (server, world, owner):
        north = await world.organization()
        request = await ask(world, world.system, north, **ANN)
        async with a_worker(world):
            await eventually(owner, SENT, 1, seconds=30)
        (mail,) = server.mails
        assert mail["X-Rollbook-Message"] == request["last-invite"]["email"]["id"]
        await eventually(owner, "SELECT count(*) FROM procrastinate_jobs", 0)


async def test_an_invitation_is_dead_after_its_code_has_expired(database_url: str) -> None:
    """Ruling K43."""
    async with a_mailing_world(database_url, referral_code_seconds=60) as (server, world, owner):
        invite = await an_email_to_ann(world)
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61)):
            async with a_worker(world):
                await eventually(owner, STATUS, "failed", seconds=30)
        (stored,) = (await shown(world, invite["id"])).invites.values()
        assert (stored.status, stored.error, server.mails) == ("failed", "expired", [])


async def test_a_message_is_dead_after_a_day_until_it_is_retried(database_url: str) -> None:
    """Ruling K43: a day, however long the attempts take."""
    async with a_mailing_world(database_url, *["451 later"] * 3) as (server, world, owner):
        await an_email_to_ann(world)
        await eventually(owner, "SELECT count(*) FROM procrastinate_jobs", 1)
        for hours, status in ((23, "todo"), (2, "failed")):
            await owner.execute("UPDATE procrastinate_events SET at = at - make_interval(hours => %s)", [hours])
            await owner.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")
            await world.catch_up()
            await eventually(owner, STATUS, status)
        await owner.execute("UPDATE procrastinate_jobs SET status = 'todo', attempts = 0")  # `rollbook jobs retry`
        await world.catch_up()
        await eventually(owner, STATUS, "todo")
        assert (server.answers, server.mails) == ([], [])


async def test_a_refused_message_is_one_line_in_the_log(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = CapturingLogger()
    monkeypatch.setattr(kinds, "_log", logger)
    async with (
        a_world(database_url) as world,
        await AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        await an_email_to_ann(world)
        await eventually(owner, "SELECT count(*) FROM procrastinate_jobs", 1)
        await world.catch_up()
        await eventually(owner, STATUS, "failed")
    (call,) = logger.calls
    assert (call.method_name, call.args, call.kwargs["reason"]) == ("warning", ("job-dead",), "no-outbox")
    assert caplog.records == []


async def test_a_permanently_refused_message_has_failed_and_its_job_is_dead(database_url: str) -> None:
    async with a_mailing_world(database_url, "554 never") as (server, world, owner):
        invite = await an_email_to_ann(world)
        async with a_worker(world):
            await eventually(owner, STATUS, "failed", seconds=30)
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
