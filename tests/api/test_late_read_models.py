"""What is answered while nobody brings the read models up: by commands (rulings A5 and A6) and about what they made."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from domain.audited import Acting, acting
from tests.api.permission_matrix import Row, families
from tests.api.ward import Ward, a_ward
from tests.support.edge import eventually
from tests.support.world import a_world

KNOWING = {
    "POST /v1/organizations/", "PATCH /v1/organizations/{id}/", "POST /v1/organizations/{id}/add-user/",
    "POST /v1/organizations/{id}/remove-user/", "POST /v1/roles/{id}/add-user/", "POST /v1/roles/{id}/remove-user/",
    "POST /v1/user-organizations/", "POST /v1/individuals/", "POST /v1/individuals/{id}/share/",
    "POST /v1/individuals/{id}/unshare/", "POST /v1/user-replications/", "POST /v1/onboarding-requests/",
    "POST /v1/individual-groups/{id}/move-group/", "DELETE /v1/individual-groups/{id}/", "DELETE /v1/sessions/{id}/",
}  # fmt: skip
"""They are answered from what the command knows. The others show people by names that only read models hold."""


class Command:
    """A command of the matrix by somebody who may; what it is about is there already."""

    def __init__(self, row: Row, ward: Ward, bearer: dict[str, str], request: dict[str, Any]) -> None:
        self.title = row.title
        self.known = row.operation.title in KNOWING
        self.retried = row.operation.remembers
        self._client = ward.world.client
        self._request = {**request, "headers": {**bearer, "Idempotency-Key": str(uuid4())}}

    async def sent(self) -> httpx2.Response:
        return await self._client.request(**self._request)


async def commands(ward: Ward, family: str) -> list[Command]:
    found = []
    for row in families()[family]:
        if row.operation.changes and row.allowed():
            name = row.allowed()[0]
            found.append(Command(row, ward, ward.people[name].bearer, await row.request(ward, name)))
            ward.forget()
    return found


def recorded(answer: httpx2.Response) -> int:
    """Where a command says that it was recorded, whether or not it could be shown."""
    if answer.status_code == 503:
        (error,) = answer.json()["errors"]
        assert error["code"] == "read-model-behind"
        assert int(answer.headers["Retry-After"]) >= 1
        assert error["meta"] == {"position": int(answer.headers["X-Position"])}
    return int(answer.headers["X-Position"])


@pytest.mark.parametrize("family", families())
async def test_a_command_says_where_it_was_recorded_and_its_retry_shows_it(database_url: str, family: str) -> None:
    async with a_ward(database_url) as ward:
        asked = await commands(ward, family)
        await ward.world.catch_up()
        await ward.world.stop_projecting()
        first = await asyncio.gather(*(each.sent() for each in asked))
        for command, answer in zip(asked, first, strict=True):
            assert answer.is_success or not command.known, f"{command.title}: {answer.text}"
            assert answer.is_success or answer.status_code == 503, f"{command.title}: {answer.text}"
        positions = [recorded(answer) for answer in first]
        await ward.world.catch_up()
        head = await ward.world.identity.store.save()
        for command, answer, position in zip(asked, first, positions, strict=True):
            if command.retried:
                again = await command.sent()
                assert again.status_code == 201, f"{command.title}: {again.text}"
                assert recorded(again) >= position, command.title  # later, when there was nothing to record
                assert not answer.is_success or again.text == answer.text, command.title
        assert await ward.world.identity.store.save() == head


async def test_what_was_just_made_is_not_denied(database_url: str) -> None:
    """A read model that is behind says so, never that something is not there."""
    async with a_world(database_url, projecting=False, position_wait=0.1) as world:
        organization_id = await world.organization()
        with acting(Acting(actor=world.system.user_id)):
            group_id, _ = await world.identity.groups.create(world.system.user_id, organization_id, "Late")
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


async def test_what_is_not_there_yet_is_waited_for(database_url: str) -> None:
    async with a_world(database_url, projecting=False, position_wait=5.0) as world:
        with acting(Acting(actor=world.system.user_id)):
            made, _ = await world.identity.organizations.create(name="late")
        asked = asyncio.create_task(world.client.get(f"/v1/organizations/{made.id}/", headers=world.system.bearer))
        await eventually(lambda: world.services.positions.waiting)
        await world.catch_up()
        answer = await asked
        assert (answer.status_code, answer.json()["data"]["id"]) == (200, str(made.id))
