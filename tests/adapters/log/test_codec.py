"""Events to rows and back: every class, sealed values, erased persons, earlier versions, snapshots."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, get_origin, get_type_hints
from uuid import UUID, uuid4

import pytest
from eventsourcing.domain import event
from eventsourcing.persistence import StoredEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from psycopg_pool import AsyncConnectionPool
from structlog.testing import capture_logs

from adapters.log.codec import EventCodec, MsgspecTranscoder
from adapters.log.sealing import SealedValueDamaged
from adapters.metrics import DAMAGED_VALUES
from adapters.security.keyring import DataKey, Keyring, ValueLocation
from domain.core.audited import AuditContext, Audited
from domain.core.personal import Personal, PersonErased
from domain.people.users import User
from tests.support.event_catalogue import aggregates, events_of
from tests.support.stores import MASTER_KEY, a_pool, a_store

EMAIL = "ada.lovelace@example.org"
CLASSES = [described.kind for aggregate in aggregates() for described in events_of(aggregate)]


class KeysInMemory(Keyring):
    """`erased` have no key and get none."""

    def __init__(self) -> None:
        self.made: dict[UUID, DataKey] = {}
        self.erased: set[UUID] = set()

    async def keys(self, subjects: Iterable[UUID]) -> dict[UUID, DataKey]:
        return {each: self.made[each] for each in subjects if each in self.made and each not in self.erased}

    async def keys_for_writing(self, subjects: Iterable[UUID]) -> dict[UUID, DataKey]:
        wanted = set(subjects)
        self.made |= {each: DataKey(each, UUID(int=1), bytes(32)) for each in wanted - self.made.keys()}
        return await self.keys(wanted)

    async def destroyed(self, subjects: Iterable[UUID]) -> set[UUID]:
        return self.erased & set(subjects)


PLAIN: dict[Any, SearchStrategy[Any]] = {
    UUID: st.uuids(),
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(st.characters(exclude_categories=["Cs"])),
    datetime: st.datetimes(timezones=st.just(UTC)),
    Personal: st.builds(Personal, st.uuids(), st.text(st.characters(exclude_categories=["Cs"]))),
}
for kind, strategy in PLAIN.items():
    st.register_type_strategy(kind, strategy)


def events(kind: type[Any]) -> SearchStrategy[Any]:
    """Any event of this class; where a field names the aggregate too, it names the same one."""
    hints = {name: hint for name, hint in get_type_hints(kind).items() if get_origin(hint) is not ClassVar}
    hints = {name: hint for name, hint in hints.items() if hint is not ClassVar and name != "originator_id_type"}
    hints |= {"originator_id": UUID, "by": AuditContext}
    made = st.builds(kind, **{name: st.from_type(hint) for name, hint in hints.items()})
    named_by = getattr(kind, "NAMED_BY", None)
    return made if named_by is None else made.map(lambda event: replace(event, **{named_by: event.originator_id}))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(CLASSES).flatmap(events), max_size=5))
def test_every_event_comes_back_as_it_was(some: list[Any]) -> None:
    async def there_and_back() -> list[Any]:
        codec = EventCodec(KeysInMemory())
        return await codec.decode_many(await codec.encode_many(some))

    assert asyncio.run(there_and_back()) == some


def a_user(email: str = EMAIL) -> User:
    return User.create(uuid4(), classification="customer", individual_id=None, email=email)


async def encoded(codec: EventCodec, *users: User) -> list[StoredEvent]:
    return await codec.encode_many([each for user in users for each in user.collect_events()])


async def decoded_email(codec: EventCodec, row: StoredEvent) -> str | None:
    (created,) = await codec.decode_many([row])
    assert isinstance(created.names.email, Personal)
    return created.names.email.value


def changed(row: StoredEvent, **sealed: str) -> StoredEvent:
    """The row with parts of its sealed address replaced."""
    state = json.loads(row.state)
    state["names"]["email"] |= sealed
    return StoredEvent(row.originator_id, row.originator_version, row.topic, json.dumps(state).encode())


def damages() -> float:
    value: float = DAMAGED_VALUES._value.get()
    return value


async def refused(codec: EventCodec, row: StoredEvent, said: list[Any]) -> None:
    """The row cannot be read, and that is told without any value."""
    before = damages()
    said.clear()
    with pytest.raises(SealedValueDamaged):
        await codec.decode_many([row])
    assert damages() == before + 1
    assert [line["event"] for line in said] == ["sealed-value-damaged"]
    assert EMAIL not in str(said)


async def test_a_damaged_value_is_an_alarm_and_not_an_erased_person() -> None:
    codec, user = EventCodec(KeysInMemory()), a_user()
    (row,) = await encoded(codec, user)
    assert await decoded_email(codec, row) == EMAIL
    sealed = json.loads(row.state)["names"]["email"]["sealed"]
    other = "A" if sealed[20] != "A" else "B"
    with capture_logs() as said:
        for damaged in (sealed[:20] + other + sealed[21:], sealed[:8], "", "no base64"):
            await refused(codec, changed(row, sealed=damaged), said)


async def test_only_a_destroyed_key_reads_as_null() -> None:
    keys, user = KeysInMemory(), a_user()
    codec = EventCodec(keys)
    (row,) = await encoded(codec, user)
    keys.erased.add(user.id)
    assert await decoded_email(codec, row) is None
    keys.erased.clear()
    keys.made.clear()
    with capture_logs() as said:
        await refused(codec, row, said)


async def test_a_value_does_not_open_with_the_key_of_another_person() -> None:
    codec = EventCodec(KeysInMemory())  # who all have the same bytes for a key
    ada, eve = await encoded(codec, a_user(), a_user("eve@example.org"))
    with capture_logs() as said:
        await refused(codec, changed(ada, subject=str(eve.originator_id)), said)


async def test_a_value_does_not_open_in_another_event_or_field() -> None:
    codec, user = EventCodec(KeysInMemory()), a_user()
    user.set_password("first")
    user.set_password("second")
    created, first, second = await encoded(codec, user)
    state = json.loads(created.state)
    moved = {**state, "names": {**state["names"], "email": None, "phone": state["names"]["email"]}}
    with capture_logs() as said:
        for stream, version, topic, data in (
            (created.originator_id, 1, created.topic, json.dumps(moved).encode()),
            (first.originator_id, 3, first.topic, first.state),
            (first.originator_id, 2, "user.password-rehashed", first.state),
            (uuid4(), 2, first.topic, first.state),
            (second.originator_id, 2, second.topic, second.state),
        ):
            await refused(codec, StoredEvent(stream, version, topic, data), said)
    assert len(await codec.decode_many([created, first, second])) == 3


async def test_a_field_that_an_upcast_renames_still_opens() -> None:
    codec, subject = EventCodec(KeysInMemory()), uuid4()
    stream, keys = uuid4(), await KeysInMemory().keys_for_writing([subject])
    await codec._keyring.keys_for_writing([subject])
    sealed = keys[subject].seal(b"Ada", ValueLocation(stream, 1, "test-letter.created", "writer"))
    state: dict[str, Any] = {
        "by": {}, "timestamp": "2026-01-01T00:00:00Z", "originator_topic": "test-letter",
        "writer": {"subject": str(subject), "sealed": b64encode(sealed).decode()},
    }  # fmt: skip
    (created,) = await codec.decode_many([StoredEvent(stream, 1, "test-letter.created", json.dumps(state).encode())])
    assert created.sender == Personal(subject, "Ada")
    forged = {**state, "writer": None, "other": {**state["writer"], "field": "writer"}}
    with capture_logs() as said:
        await refused(codec, StoredEvent(stream, 1, "test-letter.created", json.dumps(forged).encode()), said)


class Letter(Audited):
    """An aggregate whose first event once had another name for a personal field."""

    TOPIC = "test-letter"

    sender: Personal | None

    class Created(Audited.Created):
        TOPIC = "test-letter.created"
        class_version = 2
        sender: Personal | None

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            state["sender"] = state.pop("writer") or state.get("other")

    @event(Created)
    def __init__(self, sender: Personal | None) -> None:
        self.sender = sender


async def test_the_transcoder_never_writes_personal_values_in_clear() -> None:
    with pytest.raises(NotImplementedError, match="Personal"):
        MsgspecTranscoder().encode({"email": Personal(uuid4(), EMAIL)})


async def test_an_erased_person_is_still_named_but_gets_no_personal_values(database_url: str) -> None:
    async with a_store(database_url) as store, a_pool(database_url) as pool:
        user = a_user()
        await store.save(user)
        await Keyring(pool, MASTER_KEY).destroy(user.id)
        found = await store.get(User, user.id)
        assert found.names.email == Personal(user.id, None)
        found.join(uuid4())
        assert await store.save(found) == 2
        found.set_password("hash")
        with pytest.raises(PersonErased):
            await store.save(found)
        assert (await store.get(User, user.id)).version == 2


async def test_a_master_key_may_change_under_the_log(database_url: str) -> None:
    async with a_store(database_url) as store, a_pool(database_url) as pool:
        user = a_user()
        await store.save(user)
        await Keyring(pool, MASTER_KEY).rotate(bytes(32))
        (row,) = await rows_of(pool, user.id)
        assert await decoded_email(EventCodec(Keyring(pool, bytes(32))), row) == EMAIL


async def rows_of(pool: AsyncConnectionPool, stream: UUID) -> list[StoredEvent]:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT originator_id, originator_version, topic, state FROM events WHERE originator_id = %s", [stream]
        )
        return [StoredEvent(*row) for row in await cursor.fetchall()]
