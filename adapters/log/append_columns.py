"""Rows of the log as Postgres takes them, encoded before the append that they are in is taken up.

psycopg encodes an array when its statement is executed: that of 10,000 events would hold the event loop for 0.1 s.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import adapters
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

from domain.core.recorded import Event
from domain.core.turns import in_turns

_NULL = (-1).to_bytes(4, "big", signed=True)
_UUID_SIZE = (16).to_bytes(4, "big")
_BIGINT_SIZE = (8).to_bytes(4, "big")
_ONE_DIMENSION = (1).to_bytes(4, "big")
_MAY_HAVE_NULLS = (1).to_bytes(4, "big")
_LOWER_BOUND = (1).to_bytes(4, "big")


def _uuid(value: UUID | None) -> bytes:
    return _NULL if value is None else _UUID_SIZE + value.bytes


def _bigint(value: int) -> bytes:
    return _BIGINT_SIZE + value.to_bytes(8, "big", signed=True)


def _bytea(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _text(value: str | None) -> bytes:
    return _NULL if value is None else _bytea(value.encode())


def _organization(event: Event) -> UUID | None:
    """The organization that the event is about, for auditors who look without decoding."""
    fields = vars(event)
    if type(event).__qualname__.startswith("Organization."):
        return event.originator_id
    found: UUID | None = fields.get("organization_id", fields["by"].organization)
    return found


class EncodedRow(NamedTuple):
    """The elements that a row adds to the arrays; the names are those of the statement's parameters."""

    ids: bytes
    versions: bytes
    topics: bytes
    states: bytes
    actors: bytes
    organizations: bytes
    correlations: bytes
    appends: bytes


_TYPES = ("uuid", "int8", "text", "bytea", "uuid", "uuid", "text", "uuid")


@dataclass(frozen=True, slots=True)
class EncodedArray:
    """An array in Postgres' binary format."""

    data: bytes


class EncodedArrayDumper(Dumper):
    """Passes it on as it is. The statement says of which type the array is."""

    format = Format.BINARY

    def dump(self, obj: EncodedArray) -> Buffer:
        return obj.data


async def encode_rows(append_id: UUID, rows: Iterable[StoredEvent], events: Iterable[Event]) -> list[EncodedRow]:
    """The rows of an append and what their events add to them; many are encoded in turns with other tasks."""
    appends = _uuid(append_id)

    def encoded(row: StoredEvent, event: Event) -> EncodedRow:
        by = vars(event)["by"]
        return EncodedRow(
            _uuid(cast("UUID", row.originator_id)), _bigint(row.originator_version),
            _text(row.topic), _bytea(row.state),
            _uuid(by.actor), _uuid(_organization(event)), _text(by.correlation), appends,
        )  # fmt: skip

    return await in_turns(lambda pair: encoded(*pair), list(zip(rows, events, strict=True)))


async def encode_places(places: Sequence[tuple[UUID, int]]) -> dict[str, EncodedArray]:
    """Places in streams as the arrays `ids` and `versions`; many are encoded in turns with other tasks."""
    encoded = await in_turns(lambda place: (_uuid(place[0]), _bigint(place[1])), places)
    ids, versions = zip(*encoded, strict=True)
    return {"ids": _array("uuid", len(ids), ids), "versions": _array("int8", len(ids), versions)}


def arrays_of(rows: Sequence[EncodedRow]) -> dict[str, EncodedArray]:
    """The arrays by name, of as many appends as the rows are from."""
    columns = zip(EncodedRow._fields, _TYPES, zip(*rows, strict=True), strict=True)
    return {name: _array(kind, len(rows), elements) for name, kind, elements in columns}


def _array(kind: str, count: int, elements: Iterable[bytes]) -> EncodedArray:
    oid = adapters.types[kind].oid.to_bytes(4, "big")
    header = _ONE_DIMENSION + _MAY_HAVE_NULLS + oid + count.to_bytes(4, "big") + _LOWER_BOUND
    return EncodedArray(header + b"".join(elements))
