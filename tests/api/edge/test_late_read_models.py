"""Answers of commands and reads while no worker updates the read models (rulings A5 and A6)."""

import asyncio
import re
import time
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest

from adapters.log.codec import EventCodec
from adapters.log.reader import LogReader
from domain.core.audited import AuditContext, audited_as
from projections import registry
from tests.api.edge.permission_matrix import Row, families
from tests.support.edge import eventually, without_deliveries
from tests.support.world.named import Ward, a_ward
from tests.support.world.product import World, a_world
from workers.following.followers import all_followers
from workers.following.projector import Projector

pytestmark = pytest.mark.slow


def compared(text: str) -> str:
    """Leave out the time of the last event that concerns the user, which the read models show meanwhile."""
    return re.sub(r'"authz-last-populated-time":"[^"]*"', "", without_deliveries(text))


class Command:
    """A command of the matrix by a principal who may send it; the things that it names exist."""

    def __init__(self, row: Row, ward: Ward, bearer: dict[str, str], request: dict[str, Any]) -> None:
        self.title = row.title
        self.retried = row.operation.remembers
        self._client = ward.world.client
        self._request = {**request, "headers": {**bearer, "Idempotency-Key": str(uuid4())}}
        self.seconds = 0.0

    async def timed(self) -> httpx2.Response:
        started = time.monotonic()
        answer = await self.sent()
        self.seconds = time.monotonic() - started
        return answer

    async def sent(self) -> httpx2.Response:
        return await self._client.request(**self._request)


async def commands(ward: Ward, family: str) -> list[Command]:
    found = []
    for row in families()[family]:
        # one configuration of a user can be enabled, so commands on one exclude each other; their tables are inline
        if row.operation.changes and row.allowed() and not row.operation.path.startswith("/v1/mfa-totp/{id}/"):
            name = row.allowed()[0]
            found.append(Command(row, ward, ward.people[name].bearer, await row.request(ward, name)))
            ward.forget()
    return found


@pytest.mark.parametrize("family", families())
async def test_a_command_answers_from_aggregates_and_its_retry_from_lists(database_url: str, family: str) -> None:
    # a busy machine may need more than the usual two seconds until a retry sees what `catch_up` projected
    async with a_ward(database_url, position_wait=60.0) as ward:
        asked = await commands(ward, family)
        await ward.world.catch_up()
        await ward.world.stop_projecting()
        first = await asyncio.gather(*(each.sent() for each in asked))
        await ward.world.catch_up()
        head = await ward.world.identity.store.save()
        for command, answer in zip(asked, first, strict=True):
            assert answer.is_success, f"{command.title}: {answer.text}"
            if command.retried:
                again = await command.sent()
                assert again.status_code == 201, f"{command.title}: {again.text}"
                assert compared(again.text) == compared(answer.text)
                assert again.headers["X-Position"] == answer.headers["X-Position"]
        assert await ward.world.identity.store.save() == head


@pytest.mark.parametrize("name", sorted(registry.background_names()))
async def test_a_failed_read_model_delays_no_command(database_url: str, name: str) -> None:
    async with a_ward(database_url, position_wait=60.0) as ward:
        asked = [command for family in families() for command in await commands(ward, family)]
        await ward.world.catch_up()
        await ward.world.stop_projecting()
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner:
            broken = (
                "UPDATE projections SET error = 'builtins.ValueError', failed_position = position + 1 WHERE name = %s"
            )
            await owner.execute(broken, [name])
        projecting = asyncio.create_task(project_all_but(ward.world, name))
        answers = [await each.timed() for each in asked]
        projecting.cancel()
        await asyncio.wait([projecting])
        for command, answer in zip(asked, answers, strict=True):
            assert answer.is_success, f"{command.title}: {answer.text}"
            assert command.seconds < 10, f"{command.title}: {command.seconds} s"


async def project_all_but(world: World, name: str) -> None:
    """Until cancelled: what a worker does while one of its projections fails."""
    followers = [each for each in all_followers() if each.name != name]
    async with await psycopg.AsyncConnection.connect(world.settings.dsn(), autocommit=True) as connection:
        projector = Projector(connection, LogReader(EventCodec(world.keyring)), followers)
        while True:
            await projector.catch_up()
            await projector.record_polls()
            await asyncio.sleep(0.01)


async def test_a_resource_just_created_is_not_reported_as_missing(database_url: str) -> None:
    """A read model that is behind says so, never that something is not there."""
    async with a_world(database_url, projecting=False, position_wait=0.1) as world:
        organization_id = await world.organization()
        with audited_as(AuditContext(actor=world.system.user_id)):
            group_id, _ = await world.identity.groups.create(world.administrator, organization_id, "Late")
        person = await world.patient(organization_id)
        body = {"to-parent-group-id": None}
        moved = await world.post(f"/v1/individual-groups/{group_id}/move-group/", body, world.system)
        made = [
            f"/v1/organizations/{organization_id}/",
            f"/v1/users/{person.user_id}/",
            f"/v1/individual-groups/{group_id}/",
            f"/v2/individual-groups/{group_id}/",
            f"/v1/tasks/{moved['data']['task-id']}/",
        ]
        unknown = [f"/v1/organizations/{uuid4()}/", f"/v1/tasks/{uuid4()}/", f"/v2/individual-groups/{uuid4()}/"]
        for path in (*made, *unknown):
            answer = await world.client.get(path, headers=world.system.bearer)
            assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "1"), path
            assert answer.json()["errors"][0]["code"] == "read-model-behind"
        await world.catch_up()
        for path in made:
            await world.get(path, world.system, 200)
        for path in unknown:
            await world.get(path, world.system, 404)


async def test_a_read_waits_for_a_resource_not_yet_projected(database_url: str) -> None:
    async with a_world(database_url, projecting=False, position_wait=5.0) as world:
        with audited_as(AuditContext(actor=world.system.user_id)):
            made, _ = await world.identity.organizations.create(world.administrator, name="late")
        asked = asyncio.create_task(world.client.get(f"/v1/organizations/{made.id}/", headers=world.system.bearer))
        await eventually(lambda: world.services.positions.waiting)
        await world.catch_up()
        answer = await asked
        assert (answer.status_code, answer.json()["data"]["id"]) == (200, str(made.id))
