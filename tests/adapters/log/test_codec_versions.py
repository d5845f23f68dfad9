"""Events of earlier versions, and snapshots."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.domain import event
from eventsourcing.persistence import StoredEvent

from adapters.log.codec import EventCodec, snapshot_topic
from adapters.security.keyring import Keyring
from domain.access.roles import Role
from domain.core.audited import Audited
from domain.core.personal import Personal
from domain.people.users import User
from domain.sessions.sessions import Session
from tests.adapters.log.test_codec import EMAIL, KeysInMemory, a_user
from tests.support.stores import MASTER_KEY, a_pool, a_store


class Parcel(Audited):
    """An aggregate whose first event once had other fields."""

    TOPIC = "test-parcel"

    grams: int
    sender: Personal | None

    class Created(Audited.Created):
        TOPIC = "test-parcel.created"
        class_version = 3
        grams: int
        sender: Personal | None

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            state["grams"] = state.pop("kilos") * 1000

        @staticmethod
        def upcast_v2_v3(state: dict[str, Any]) -> None:
            state["sender"] = None

    @event(Created)
    def __init__(self, grams: int, sender: Personal | None) -> None:
        self.grams = grams
        self.sender = sender


@pytest.mark.parametrize("old", [{"kilos": 3}, {"grams": 3000, "class_version": 2}])
async def test_events_of_earlier_versions_are_read_as_the_latest(old: dict[str, Any]) -> None:
    codec = EventCodec(KeysInMemory())
    state = {"by": {}, "timestamp": "2026-01-01T00:00:00Z", "originator_topic": "test-parcel", **old}
    row = StoredEvent(uuid4(), 1, "test-parcel.created", json.dumps(state).encode())
    (created,) = await codec.decode_many([row])
    parcel = created.mutate(None)
    assert (parcel.grams, parcel.sender, parcel.id) == (3000, None, row.originator_id)


async def test_events_of_the_latest_version_are_not_cast_again() -> None:
    codec, sender = EventCodec(KeysInMemory()), Personal(uuid4(), "Ada")
    parcel = Parcel(grams=5, sender=sender)
    (row,) = await codec.encode_many(parcel.collect_events())
    assert json.loads(row.state)["class_version"] == 3
    (created,) = await codec.decode_many([row])
    assert (created.grams, created.sender) == (5, sender)


async def test_sessions_of_the_first_version_keep_the_time_of_their_login() -> None:
    user_id, at = str(uuid4()), "2026-01-01T00:00:00Z"
    state: dict[str, Any] = {
        "by": {}, "timestamp": at, "originator_topic": "session", "user_id": user_id, "kind": "password",
        "organization_id": None, "opened_at_position": 1, "expires_at": at, "refresh_token_hash": None,
        "access_seconds": 60, "sticky": False, "locale": None, "queue_delay": 0,
    }  # fmt: skip
    row = StoredEvent(uuid4(), 1, "session.opened", json.dumps(state).encode())
    (opened,) = await EventCodec(KeysInMemory()).decode_many([row])
    session = opened.mutate(None)
    assert isinstance(session, Session)
    assert (session.authenticated_at, session.authenticated_by) == (datetime(2026, 1, 1, tzinfo=UTC), ["pwd"])
    assert session.impersonator is session.opened_from is None


async def test_snapshots_hold_no_personal_value_in_clear(database_url: str) -> None:
    user = a_user()
    async with a_store(database_url) as store, a_pool(database_url) as pool:
        for _ in range(60):
            user.join(organization := uuid4())
            user.leave(organization)
        await store.save(user)
        await asyncio.gather(*store._snapshotting)
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT topic, state FROM snapshots").fetchone()
        assert row is not None
        assert row[0] == snapshot_topic(User)
        assert EMAIL.encode() not in row[1]
        assert (await store.get(User, user.id)).names.email == Personal(user.id, EMAIL)
        await Keyring(pool, MASTER_KEY).destroy(user.id)
        assert (await store.get(User, user.id)).names.email == Personal(user.id, None)


async def test_a_snapshot_of_another_shape_is_passed_over(database_url: str) -> None:
    role = Role.create(uuid4(), "org.admin", "org.admin")
    for _ in range(120):
        role.grant(uuid4(), live=True)
    async with a_store(database_url) as store:
        await store.save(role)
        await asyncio.gather(*store._snapshotting)
        with psycopg.connect(database_url) as connection:
            updated = connection.execute("UPDATE snapshots SET topic = 'role#another', state = '{}'").rowcount
        assert updated == 1
        assert (await store.get(Role, role.id)).holders == role.holders
