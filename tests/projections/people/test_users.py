"""Users as lists show them: one fold, whatever the batches."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from domain.access.roles import Role
from domain.core.recorded import Recorded
from domain.people.individuals import Individual
from domain.people.users import User
from projections.people.users import COLUMNS, UsersProjection
from tests.domain.onboarding.test_requests import a_request

NORTH, SOUTH = uuid4(), uuid4()


@asynccontextmanager
async def a_table(database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        yield connection


def history() -> tuple[list[Recorded], User, User]:
    """A provider who came and went, a patient brought in, another with nothing yet."""
    doc = User.create(uuid4(), classification="customer", individual_id=uuid4(), email="Doc@North.test")
    own = Individual.create(doc.individual_id or uuid4(), "user", doc.id, provider=True)
    doc.set_password("hash")
    doc.confirm(email_verified=True)
    doc.join(NORTH)
    doc.join(SOUTH)
    ann = User.create(uuid4(), classification="customer", individual_id=uuid4(), phone="+16505550100")
    record = Individual.create(ann.individual_id or uuid4(), "organization", NORTH)
    request = a_request(ann.id, auto_sign_up=True, auto_confirm=True)
    events = [*doc.collect_events(), *own.collect_events(), *ann.collect_events(), *record.collect_events()]
    record.change_owner("user", ann.id)
    record.share("organization", NORTH)
    record.share("organization", SOUTH)
    ann.set_communication_preferences('{"sms": {"on": true}}')
    ann.set_password("hash")
    ann.confirm()
    request.claim(ann.id, record.id)
    events += [*record.collect_events(), *ann.collect_events(), *request.collect_events()]
    doc.disable()
    doc.leave(NORTH)
    record.unshare("organization", SOUTH)
    own.mark_provider(provider=False)
    events += [*doc.collect_events(), *record.collect_events(), *own.collect_events()]
    return [Recorded(position, event) for position, event in enumerate(events, 1)], doc, ann


def batches(events: Sequence[Recorded], size: int) -> list[Sequence[Recorded]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


async def rows(connection: AsyncConnection[Any], query: str) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(query.encode())
    return await cursor.fetchall()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
async def test_the_outcome_does_not_depend_on_the_batches(database_url: str, size: int) -> None:
    events, doc, ann = history()
    async with a_table(database_url) as connection:
        for batch in batches(events, size):
            await UsersProjection().apply(connection.cursor(), batch)
        found = {row["user_id"]: row for row in await rows(connection, "SELECT * FROM users")}
        assert (found[doc.id]["state"], found[doc.id]["account_type"]) == ("disabled", "patient")
        assert found[doc.id]["organization_ids"] == [SOUTH]
        assert (found[doc.id]["email"], found[doc.id]["email_key"]) == ("Doc@North.test", "doc@north.test")
        assert (found[ann.id]["state"], found[ann.id]["verified"]) == ("confirmed", False)
        assert found[ann.id]["communication_preferences"] == {"sms": {"on": True}}
        assert (found[ann.id]["registration_invite"], found[ann.id]["auto_confirm"]) == ("accepted", True)
        assert found[ann.id]["username"] == "+16505550100"
        places = await rows(connection, "SELECT * FROM organization_people")
        assert {(place["organization_id"], place["user_id"]): place["provider"] for place in places} == {
            (SOUTH, doc.id): True,
            (NORTH, ann.id): False,
        }


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_roles_change_the_time_of_their_holders_in_batches_of_any_size(database_url: str, size: int) -> None:
    """Ruling K148; a change of the role itself, or of whether a holder is live, is none of the holder."""
    events, doc, ann = history()
    role = Role.create(NORTH, "nurse", "Nurse")
    for holder in (doc, ann):
        role.grant(holder.id, live=True)
    role.revoke(doc.id)
    role.change_holder_status(ann.id, live=False)
    _, _, granted, revoked, _ = changes = role.collect_events()
    events += [Recorded(position, event) for position, event in enumerate(changes, len(events) + 1)]
    async with a_table(database_url) as connection:
        for batch in batches(events, size):
            await UsersProjection().apply(connection.cursor(), batch)
        found = {row["user_id"]: row["modified_at"] for row in await rows(connection, "SELECT * FROM users")}
        assert found == {doc.id: revoked.timestamp, ann.id: granted.timestamp}


async def test_a_request_about_a_known_user_changes_no_attribute(database_url: str) -> None:
    events, _, ann = history()
    async with a_table(database_url) as connection:
        await UsersProjection().apply(connection.cursor(), events)
        before = await rows(connection, f"SELECT {', '.join(COLUMNS)} FROM users ORDER BY 1")
        asked = a_request(ann.id, new_user=False, auto_confirm=False)
        (opened,) = asked.collect_events()
        await UsersProjection().apply(connection.cursor(), [Recorded(100, opened)])
        assert await rows(connection, f"SELECT {', '.join(COLUMNS)} FROM users ORDER BY 1") == before


async def test_services_are_in_no_list(database_url: str) -> None:
    service = User.create(uuid4(), kind="service", classification="customer", individual_id=None, username="a/b")
    service.confirm()
    events = [Recorded(position, event) for position, event in enumerate(service.collect_events(), 1)]
    async with a_table(database_url) as connection:
        for batch in batches(events, 1):
            await UsersProjection().apply(connection.cursor(), batch)
        assert await rows(connection, "SELECT * FROM users") == []


async def test_individuals_of_unknown_users_add_no_row(database_url: str) -> None:
    record = Individual.create(uuid4(), "organization", NORTH)
    record.share("organization", SOUTH)
    events = [Recorded(position, event) for position, event in enumerate(record.collect_events(), 1)]
    async with a_table(database_url) as connection:
        await UsersProjection().apply(connection.cursor(), events)
        assert await rows(connection, "SELECT * FROM organization_people") == []
