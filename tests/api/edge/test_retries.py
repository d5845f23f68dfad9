"""A retried command gets the answer of its first try, even if that was never sent (ruling A6)."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest

from tests.api.edge.permission_matrix import Row, families
from tests.contract.described import operations
from tests.support.edge import without_deliveries
from tests.support.world.named import Ward, a_ward
from tests.support.world.product import a_world

pytestmark = pytest.mark.slow

Told = tuple[int, str, str | None]


def told(answer: httpx2.Response) -> Told:
    return answer.status_code, without_deliveries(answer.text), answer.headers.get("X-Position")


async def tries(ward: Ward, row: Row, owner: psycopg.AsyncConnection) -> list[Told]:
    """What is told first, and to two more tries; the first of them comes from a process that knows nothing of it."""
    name = row.allowed()[0]
    request = await row.request(ward, name)
    request["headers"] = {**ward.people[name].bearer, "Idempotency-Key": str(uuid4())}
    answers = [told(await ward.world.client.request(**request))]
    kept = await owner.execute("SELECT FROM idempotency_keys")
    assert kept.rowcount == 1, f"{row.title} is not remembered"
    await ward.world.catch_up()
    head = await ward.world.identity.store.save()
    answers += [told(await ward.world.client.request(**request)) for _ in range(2)]
    assert await ward.world.identity.store.save() == head, f"{row.title} was carried out again"
    await owner.execute("DELETE FROM idempotency_keys")
    ward.forget()
    return answers


def commands(family: str) -> list[Row]:
    return [row for row in families()[family] if row.operation.remembers and row.allowed()]


FAMILIES = [family for family in families() if commands(family)]


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_retry_gets_the_answer_that_was_never_sent(database_url: str, family: str) -> None:
    async with (
        a_ward(database_url) as ward,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        for row in commands(family):
            first, *others = await tries(ward, row, owner)
            assert first[0] == 201, f"{row.title}: {first}"
            assert others == [first, first], row.title


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_retry_without_rights_gets_status_position_and_id(database_url: str, family: str) -> None:
    async with a_ward(database_url) as ward:
        world, ended = ward.world, 0
        for row in commands(family):
            if "OADM" not in row.allowed() or "one's own" in row.title:  # nobody loses the right on what is theirs
                continue
            ward.people["OADM"] = await world.admin(ward.id("north"))
            user_id = ward.people["OADM"].user_id
            request = await row.request(ward, "OADM")
            key = {"Idempotency-Key": "once"}
            first = await world.client.request(**request, headers=ward.people["OADM"].bearer | key)
            assert first.status_code == 201, f"{row.title}: {first.text}"
            goes = {"data": {"type": "organizations", "attributes": {"user-id": str(user_id)}}}
            await world.catch_up()
            memberships = await world.get("/v1/user-organizations/", world.system, 200, **{"user-id": str(user_id)})
            for membership in memberships["data"]:
                organization_id = membership["attributes"]["organization-id"]
                await world.post(f"/v1/organizations/{organization_id}/remove-user/", goes, world.system)
            head = await world.identity.store.save()
            again = await world.client.request(**request, headers=(await world.as_(user_id)).bearer | key)
            assert told(again)[::2] == told(first)[::2], row.title
            assert again.json() == what_is_left(first.json()), row.title
            assert await world.identity.store.save() == head, f"{row.title} was carried out again"
            ward.forget()
            ended += 1
        assert ended or family in OTHERS_ONLY


OTHERS_ONLY = {"second factors", "service documents", "sessions and services"}
"""Families without a command that an administrator may give because of an organization."""


def what_is_left(document: Any) -> Any:
    """The document became unreadable for the caller. The id of a task is not personal."""
    if document is None or "task-id" in document["data"]:
        return document
    data = document["data"]
    return {"data": {"type": data["type"], "id": data["id"]}, "meta": document["meta"]}


async def test_a_retry_hides_individuals_that_became_invisible(database_url: str) -> None:
    """Staff reads every group, but not its people (ruling A2)."""
    async with a_ward(database_url) as ward:
        world, key = ward.world, {"Idempotency-Key": "once"}
        staff = ward.people["EMP"]
        ward_id = ward.things["ward"]
        await world.post(
            "/v1/user-organizations/",
            {
                "data": {
                    "type": "user-organizations",
                    "attributes": {"user-id": str(staff.user_id), "organization-id": ward.things["north"]},
                }
            },
            world.system,
        )
        path = f"/v1/individual-groups/{ward_id}"
        await world.post(f"{path}/add-leaders/", {"user-ids": [str(staff.user_id)]}, world.system)
        body = {"individual-ids": [ward.things["individual of PAT"]], "with-individuals": True}
        first = await world.client.post(f"{path}/add-individuals/", json=body, headers=staff.bearer | key)
        assert len(first.json()["data"]["attributes"]["individuals"]) == 1
        goes = {"data": {"type": "organizations", "attributes": {"user-id": str(staff.user_id)}}}
        await world.post(f"/v1/organizations/{ward.things['north']}/remove-user/", goes, world.system)
        bearer = (await world.as_(staff.user_id)).bearer
        again = await world.client.post(f"{path}/add-individuals/", json=body, headers=bearer | key)
        shown = again.json()["data"]["attributes"]
        assert (again.status_code, shown["name"]) == (201, "Ward")
        assert (shown["individuals"], shown["individual-ids"]) == (None, None)


async def test_a_retried_move_answers_the_pending_task(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_ward(database_url) as ward:
        request: dict[str, Any] = {
            "url": f"/v1/individual-groups/{ward.things['elsewhere']}/move-group/",
            "json": {"to-parent-group-id": ward.things["ward"]},
            "headers": ward.people["OADM"].bearer | {"Idempotency-Key": "once"},
        }

        async def failing(*_: Any) -> bool:
            raise RuntimeError

        with monkeypatch.context() as patch:
            patch.setattr(ward.world.services.positions, "shown", failing)
            unanswered = await ward.world.client.post(**request)
        pending = await ward.world.client.post(**request)
        await ward.world.catch_up()
        done = await ward.world.client.post(**request)
        assert unanswered.status_code == 503
        assert (pending.status_code, pending.headers["X-Position"]) == (201, unanswered.headers["X-Position"])
        assert told(done) == told(pending)


def test_every_command_by_post_is_tried() -> None:
    tried = {row.operation.title for family in FAMILIES for row in commands(family)}
    assert tried == {each.title for each in operations() if each.remembers}


async def test_one_key_sent_to_two_processes_at_once_is_one_command(database_url: str) -> None:
    async with a_world(database_url) as one, a_world(database_url, projecting=False) as other:
        for _ in range(10):
            head = await one.identity.store.save()
            name = f"org-{uuid4().hex[:12]}"
            request: dict[str, Any] = {
                "json": {"data": {"type": "organizations", "attributes": {"name": name}}},
                "headers": {**one.system.bearer, "Idempotency-Key": name},
            }
            sent = [world.client.post("/v1/organizations/", **request) for world in (one, other) * 5]
            answers = await asyncio.gather(*sent)
            done = {told(answer) for answer in answers if answer.status_code == 201}
            waiting = [answer for answer in answers if answer.status_code == 409]
            assert len(done) == 1
            assert {answer.status_code for answer in answers} <= {201, 409}
            assert all(answer.headers["Retry-After"] == "1" for answer in waiting)
            ((_, text, position),) = done
            assert int(position or 0) == await one.identity.store.save() > head
            assert told(await other.client.post("/v1/organizations/", **request)) == (201, text, position)
