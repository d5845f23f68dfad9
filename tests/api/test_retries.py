"""A retried command is answered what its first try was answered, also when nobody lived to hear that (ruling A6)."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest

from tests.api.permission_matrix import Row, families
from tests.api.ward import Ward, a_ward
from tests.contract.described import operations
from tests.support.world import a_world

Told = tuple[int, str, str | None]


def told(answer: httpx2.Response) -> Told:
    return answer.status_code, answer.text, answer.headers.get("X-Position")


async def tries(ward: Ward, row: Row, owner: psycopg.AsyncConnection) -> list[Told]:
    """What is told first, when that got lost in a crash right after the commit, and to another try."""
    name = row.allowed()[0]
    request = await row.request(ward, name)
    request["headers"] = {**ward.people[name].bearer, "Idempotency-Key": str(uuid4())}
    answers = [told(await ward.world.client.request(**request))]
    lost = await owner.execute("UPDATE idempotency_keys SET answer = NULL")
    assert lost.rowcount == 1, f"{row.title} is not remembered"
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
async def test_a_retry_is_told_what_the_first_try_was_although_it_was_never_answered(
    database_url: str, family: str
) -> None:
    async with (
        a_ward(database_url) as ward,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        for row in commands(family):
            first, *others = await tries(ward, row, owner)
            assert first[0] == 201, f"{row.title}: {first}"
            assert others == [first, first], row.title


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
