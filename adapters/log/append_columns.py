"""Encodes rows of the log for Postgres, before the writer takes their append.

psycopg encodes an array when its statement is executed; for 10,000 events that would hold the event loop for 0.1 s.
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
    """Return the organization that the event concerns, for a column that auditors read without decoding events."""
    fields = vars(event)
    if type(event).__qualname__.startswith("Organization."):
        return event.originator_id
    organization: UUID | None = fields.get("organization_id", fields["by"].organization)
    return organization


class EncodedRow(NamedTuple):
    """The elements that a row adds to the arrays, named after the parameters of the statement."""

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
    """Returns the encoded array. The statement states its type."""

    format = Format.BINARY

    def dump(self, obj: EncodedArray) -> Buffer:
        return obj.data


async def encode_rows(append_id: UUID, rows: Iterable[StoredEvent], events: Iterable[Event]) -> list[EncodedRow]:
    """Return the encoded rows of an append with the columns from their events. Many rows are encoded in turns."""
    appends = _uuid(append_id)

    def encoded(row: StoredEvent, event: Event) -> EncodedRow:
        by = vars(event)["by"]
        return EncodedRow(
            _uuid(cast("UUID", row.originator_id)), _bigint(row.originator_version),
            _text(row.topic), _bytea(row.state),
            _uuid(by.actor), _uuid(_organization(event)), _text(by.correlation), appends,
        )  # fmt: skip

    return await in_turns(lambda pair: encoded(*pair), list(zip(rows, events, strict=True)))


async def encode_stream_versions(stream_versions: Sequence[tuple[UUID, int]]) -> dict[str, EncodedArray]:
    """Return pairs of stream and version as the arrays `ids` and `versions`. Many are encoded in turns."""
    encoded = await in_turns(lambda pair: (_uuid(pair[0]), _bigint(pair[1])), stream_versions)
    ids, versions = zip(*encoded, strict=True)
    return {"ids": _array("uuid", len(ids), ids), "versions": _array("int8", len(ids), versions)}


def arrays_of(rows: Sequence[EncodedRow]) -> dict[str, EncodedArray]:
    """Return the arrays of these rows, which may be from several appends, by name."""
    columns = zip(EncodedRow._fields, _TYPES, zip(*rows, strict=True), strict=True)
    return {name: _array(kind, len(rows), elements) for name, kind, elements in columns}


def _array(kind: str, count: int, elements: Iterable[bytes]) -> EncodedArray:
    oid = adapters.types[kind].oid.to_bytes(4, "big")
    header = _ONE_DIMENSION + _MAY_HAVE_NULLS + oid + count.to_bytes(4, "big") + _LOWER_BOUND
    return EncodedArray(header + b"".join(elements))
