"""A command that is appended after the event that ended its right does not exist (ruling O7).

Each story is told twice: the right ends while the body still arrives, and just before what was decided is recorded.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import Context
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest

from domain.access.roles import SYSTEM_ADMIN
from domain.organizations.organizations import OPERATOR_ID
from tests.support.world.product import Person, World, a_world, role_id

pytestmark = pytest.mark.slow

GROUPS = "/v1/individual-groups/"
Ending = Callable[[], Awaitable[Any]]


class Story(NamedTuple):
    """A request that would be carried out, what ends the right to it, and the answer after that."""

    by: Person
    method: str
    path: str
    body: dict[str, Any]
    ending: Ending
    status: int


def rename(group: UUID) -> dict[str, Any]:
    return {"data": {"type": "individual-groups", "id": str(group), "attributes": {"name": "renamed"}}}


def named(kind: str, person: Person) -> dict[str, Any]:
    return {"data": {"type": kind, "attributes": {"user-id": str(person.user_id)}}}


def session_of(world: World, person: Person) -> UUID:
    return world.tokens.verify(person.bearer["Authorization"].removeprefix("Bearer ")).session_id


async def of_an_administrator(
    world: World, ending: Callable[[World, UUID, Person], Awaitable[Any]], status: int
) -> Story:
    """A group is renamed by an administrator of its organization, who is not the only one."""
    clinic = await world.organization()
    admin, _ = await world.admin(clinic), await world.admin(clinic)
    group = await world.group(clinic)
    return Story(admin, "PATCH", f"{GROUPS}{group}/", rename(group), lambda: ending(world, clinic, admin), status)


async def session_ended(world: World) -> Story:
    async def ending(world: World, _: UUID, admin: Person) -> None:
        answer = await world.client.delete(f"/v1/sessions/{session_of(world, admin)}/", headers=world.system.bearer)
        assert answer.status_code == 204

    return await of_an_administrator(world, ending, 401)


async def role_taken(world: World) -> Story:
    async def ending(world: World, clinic: UUID, admin: Person) -> None:
        await remove(world, "roles", role_id(clinic, "org.admin"), admin)

    return await of_an_administrator(world, ending, 404)


async def remove(world: World, kind: str, owner_id: UUID, person: Person) -> None:
    await world.post(f"/v1/{kind}/{owner_id}/remove-user/", named(kind, person), world.system)


async def disabled(world: World) -> Story:
    async def ending(world: World, _: UUID, admin: Person) -> None:
        await world.post(f"/v1/users/{admin.user_id}/disable/", {}, world.system)

    return await of_an_administrator(world, ending, 401)


async def left_the_organization(world: World) -> Story:
    async def ending(world: World, clinic: UUID, admin: Person) -> None:
        await remove(world, "organizations", clinic, admin)

    return await of_an_administrator(world, ending, 401)


async def organization_deactivated(world: World) -> Story:
    return await of_an_administrator(world, lambda world, clinic, _: deactivate(world, clinic), 404)


async def deactivate(world: World, clinic: UUID) -> None:
    data = {"type": "organizations", "id": str(clinic), "attributes": {"is-active": False}}
    await world.patch(f"/v1/organizations/{clinic}/", {"data": data}, world.system)


async def organization_deactivated_under_a_service(world: World) -> Story:
    clinic = await world.organization()
    group, record = await world.group(clinic), await world.individual(clinic)
    body = {"individual-ids": [str(record)]}
    path = f"{GROUPS}{group}/add-individuals/"
    return Story(world.service, "POST", path, body, lambda: deactivate(world, clinic), 403)


async def of_a_leader(world: World, ending: Callable[[UUID, UUID, Person], Awaitable[Any]]) -> Story:
    """A group is renamed by the leader of the one above it."""
    clinic = await world.organization()
    leader = await world.provider(clinic)
    above = await world.group(clinic, "Group", **{"leader-ids": [str(leader.user_id)]})
    group = await world.group(clinic)
    await world.move(group, above)
    return Story(leader, "PATCH", f"{GROUPS}{group}/", rename(group), lambda: ending(above, group, leader), 404)


async def leader_removed(world: World) -> Story:
    async def ending(above: UUID, _: UUID, leader: Person) -> None:
        await world.post(f"{GROUPS}{above}/remove-leaders/", {"user-ids": [str(leader.user_id)]}, world.system)

    return await of_a_leader(world, ending)


async def group_moved_away(world: World) -> Story:
    return await of_a_leader(world, lambda _, group, __: world.move(group, None))


async def placing(world: World, *, open_: bool = False) -> tuple[UUID, Person, UUID, Person]:
    """An organization, a leader of a group in it, and a patient of the organization who is not in the group."""
    clinic = await world.organization(open_=open_)
    leader, patient = await world.provider(clinic), await world.patient(clinic)
    return clinic, leader, await world.group(clinic, "Group", **{"leader-ids": [str(leader.user_id)]}), patient


def add(by: Person, group: UUID, patient: Person, ending: Ending, status: int) -> Story:
    body = {"individual-ids": [str(patient.individual_id)]}
    return Story(by, "POST", f"{GROUPS}{group}/add-individuals/", body, ending, status)


async def unshared_from_the_caller(world: World) -> Story:
    _, leader, group, patient = await placing(world)
    path = f"/v1/individuals/{patient.individual_id}/"
    party = {"type": "user", "id": str(leader.user_id)}
    await world.post(f"{path}share/", {"with": party, "operation": "write"}, patient)
    return add(leader, group, patient, lambda: world.post(f"{path}unshare/", {"with": party}, patient), 404)


async def shared_for_reading_only(world: World) -> Story:
    _, leader, group, patient = await placing(world)
    path = f"/v1/individuals/{patient.individual_id}/share/"
    party = {"type": "user", "id": str(leader.user_id)}
    await world.post(path, {"with": party, "operation": "write"}, patient)
    return add(leader, group, patient, lambda: world.post(path, {"with": party, "operation": "read"}, patient), 403)


async def taken_out_of_another_group_of_the_caller(world: World) -> Story:
    clinic, leader, group, patient = await placing(world)
    people = {"leader-ids": [str(leader.user_id)], "individual-ids": [str(patient.individual_id)]}
    other = await world.group(clinic, "Group", **people)
    body = {"individual-ids": people["individual-ids"]}
    return add(
        leader, group, patient, lambda: world.post(f"{GROUPS}{other}/remove-individuals/", body, world.system), 404
    )


async def organization_restricted(world: World) -> Story:
    clinic, leader, group, patient = await placing(world, open_=True)
    change = {"type": "organizations", "id": str(clinic), "attributes": {"authorization-type": "restricted"}}
    return add(
        leader,
        group,
        patient,
        lambda: world.patch(f"/v1/organizations/{clinic}/", {"data": change}, world.system),
        404,
    )


async def group_deactivated(world: World) -> Story:
    _, leader, group, patient = await placing(world, open_=True)

    async def ending() -> None:
        answer = await world.client.delete(f"{GROUPS}{group}/", headers=world.system.bearer)
        assert answer.status_code == 204

    return add(leader, group, patient, ending, 404)


async def system_administrator_no_longer(world: World) -> Story:
    other = await world.provider(OPERATOR_ID, roles=[SYSTEM_ADMIN])
    path = f"/v1/roles/{role_id(OPERATOR_ID, SYSTEM_ADMIN)}/remove-user/"
    body = {"data": {"type": "organizations", "attributes": {"name": f"new-{uuid4().hex[:8]}"}}}
    ending = named("roles", other)
    return Story(other, "POST", "/v1/organizations/", body, lambda: world.post(path, ending, world.system), 403)


STORIES = [
    session_ended,
    role_taken,
    disabled,
    left_the_organization,
    organization_deactivated,
    organization_deactivated_under_a_service,
    leader_removed,
    group_moved_away,
    unshared_from_the_caller,
    shared_for_reading_only,
    taken_out_of_another_group_of_the_caller,
    organization_restricted,
    group_deactivated,
    system_administrator_no_longer,
]


@pytest.mark.parametrize("tell", STORIES)
async def test_a_right_that_ends_while_the_body_arrives_is_gone(
    database_url: str, tell: Callable[[World], Awaitable[Story]]
) -> None:
    async with a_world(database_url) as world:
        story = await tell(world)
        before = recorded_by(database_url, story.by)
        answer = await sent_slowly(world, story)
        assert answer.status_code == story.status, answer.text
    assert recorded_by(database_url, story.by) == before


@pytest.mark.parametrize("tell", STORIES)
async def test_a_right_that_ends_just_before_the_append_is_gone(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tell: Callable[[World], Awaitable[Story]]
) -> None:
    async with a_world(database_url) as world:
        story = await tell(world)
        before = recorded_by(database_url, story.by)
        just_before_the_append(world, monkeypatch, story.ending)
        answer = await sent(world, story)
        assert answer.status_code == story.status, answer.text
    assert recorded_by(database_url, story.by) == before


async def sent(world: World, story: Story) -> httpx2.Response:
    return await world.client.request(story.method, story.path, json=story.body, headers=story.by.bearer)


async def sent_slowly(world: World, story: Story) -> httpx2.Response:
    """Head and one byte; the rest when the right has ended."""
    text = json.dumps(story.body).encode()

    async def arriving() -> AsyncIterator[bytes]:
        yield text[:1]
        await story.ending()
        yield text[1:]

    headers = {**story.by.bearer, "Content-Type": "application/json"}
    return await world.client.request(story.method, story.path, content=arriving(), headers=headers)


def just_before_the_append(world: World, monkeypatch: pytest.MonkeyPatch, ending: Ending) -> None:
    """Have it happen between the next decision and its append."""
    store = world.identity.store
    save = store.save

    async def interrupted(*aggregates: Any, **more: Any) -> int:
        monkeypatch.setattr(store, "save", save)
        await asyncio.create_task(ended(), context=Context())  # whatever it records is not the command's
        return await save(*aggregates, **more)

    async def ended() -> None:
        await ending()

    monkeypatch.setattr(store, "save", interrupted)


def recorded_by(database_url: str, person: Person) -> int:
    """How many events they caused."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM events WHERE actor = %s", [person.user_id]).fetchone()
    assert row is not None
    return int(row[0])
