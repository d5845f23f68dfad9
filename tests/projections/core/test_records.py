"""Tables of plain records, by those of general messages; random histories of all are in test_batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from psycopg import errors

from adapters.log.codec import EventCodec
from adapters.postgres.arrays import send_arrays_in_binary
from adapters.security.keyring import Keyring
from domain.core.personal import Personal, revealed
from domain.core.recorded import Recorded
from domain.core.records import Record, RecordCreated
from domain.organizations.general_messages import GeneralMessage, GeneralMessageFields
from projections.organizations.general_messages import GENERAL_MESSAGES
from tests.support.stores import MASTER_KEY, a_pool

CLINIC = uuid4()


def a_message(locale: str) -> GeneralMessage:
    return GeneralMessage.create(GeneralMessageFields(CLINIC, "contact", locale, "text"))


def recorded(*records: Record[GeneralMessageFields]) -> list[Recorded]:
    events = [event for record in records for event in record.collect_events()]
    return [Recorded(position, event) for position, event in enumerate(events, 1)]


async def locales(database_url: str, events: Sequence[Recorded], size: int) -> list[str]:
    """What the table holds after the events, applied in batches of this size."""
    async with a_pool(database_url) as pool, pool.connection() as connection:
        cursor = send_arrays_in_binary(connection).cursor()
        for start in range(0, len(events), size):
            await GENERAL_MESSAGES.apply(cursor, events[start : start + size])
        await cursor.execute("SELECT locale FROM general_messages ORDER BY locale")
        found = [row[0] for row in await cursor.fetchall()]
        await connection.rollback()
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 10])
async def test_a_released_value_can_be_taken_in_the_same_batch(database_url: str, size: int) -> None:
    first, second, third = a_message("en_US"), a_message("es_US"), a_message("en_US")
    events = recorded(first, second)
    first.change({"locale": "de_DE"})
    events += recorded(first, third)
    second.delete()
    third.change({"locale": "es_US"})
    events += recorded(second, third)
    assert await locales(database_url, events, size) == ["de_DE", "es_US"]


@pytest.mark.parametrize("size", [1, 2, 3, 10])
async def test_a_value_is_refused_before_its_holder_gives_it_up(database_url: str, size: int) -> None:
    first, second = a_message("en_US"), a_message("en_US")
    events = recorded(first, second)
    first.delete()
    with pytest.raises(errors.UniqueViolation):
        await locales(database_url, events + recorded(first), size)


@dataclass(frozen=True)
class NoteFields:
    about: UUID
    text: Personal
    more: tuple[Personal, ...] = ()


class Note(Record[NoteFields]):
    TOPIC = "test-note"

    class Created(RecordCreated):
        TOPIC = "test-note.created"
        fields: NoteFields


async def test_personal_values_in_the_fields_are_sealed(database_url: str) -> None:
    ann = uuid4()
    note = Note.create(NoteFields(ann, Personal(ann, "likes tea"), (Personal(ann, "and cake"),)))
    async with a_pool(database_url) as pool:
        keyring = Keyring(pool, MASTER_KEY)
        (row,) = await EventCodec(keyring).encode_many(note.collect_events())
        assert b"tea" not in row.state
        assert b"cake" not in row.state
        (event,) = await EventCodec(keyring).decode_many([row])
        assert revealed(event.fields.text) == "likes tea"
        assert [revealed(each) for each in event.fields.more] == ["and cake"]
        await keyring.destroy(ann)
        (event,) = await EventCodec(Keyring(pool, MASTER_KEY)).decode_many([row])
        assert (event.fields.about, revealed(event.fields.text)) == (ann, None)
