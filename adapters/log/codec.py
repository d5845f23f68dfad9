"""Converts events to rows and back: JSON by msgspec, typed by the events' annotations, with encrypted personal values.

The state of an event looks like {"by": {"actor": "…"}, "timestamp": "…", "name": {"subject": "…", "sealed": "…"}}.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, ClassVar, TypedDict, get_origin, get_type_hints
from uuid import UUID

import msgspec
import structlog
from eventsourcing.domain import CanMutateAggregate, Snapshot
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder
from eventsourcing.utils import get_topic, resolve_topic

from adapters.log.sealing import (
    FIELD,
    Sealed,
    SealedValueDamaged,
    carries_personal,
    note_fields,
    personals,
    seal,
    sealed_fields,
)
from adapters.metrics import DAMAGED_VALUES
from adapters.security.keyring import DataKey, Keyring, ValueLocation
from domain.core.audited import AuditContext, Audited
from domain.core.personal import Personal
from domain.core.turns import in_turns

Event = CanMutateAggregate[UUID]
_NOT_STATE = {"originator_id", "originator_version", "originator_id_type"}
_log = structlog.get_logger()


class MsgspecTranscoder(Transcoder):
    """Encodes plain values, UUIDs and datetimes as JSON. Refuses personal values, which have to be sealed first."""

    def __init__(self) -> None:
        super().__init__()
        self._encoder = msgspec.json.Encoder(enc_hook=_refuse_to_encode)

    def encode(self, obj: Any) -> bytes:
        return self._encoder.encode(obj)

    def decode(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


def _refuse_to_encode(value: object) -> Any:
    raise NotImplementedError(f"an event cannot contain {type(value).__name__}")


@cache
def _shape(kind: type) -> Any:
    """Return a TypedDict of the fields of an event or an aggregate of this class, without its id and version."""
    fields = {
        name: hint
        for name, hint in get_type_hints(kind).items()
        if name not in _NOT_STATE and get_origin(hint) is not ClassVar and hint is not ClassVar
    }
    if issubclass(kind, Audited):
        own = {
            name for base in kind.__mro__ if issubclass(base, Audited) for name in vars(base).get("__annotations__", ())
        }
        fields = {name: hint for name, hint in fields.items() if name in own}
        fields |= {"_created_on": datetime, "_modified_on": datetime}
    return TypedDict(kind.__qualname__, fields)  # type: ignore[operator]


class EventCodec(Mapper[UUID]):
    """The library's mapper, with typed decoding, the library's upcasts, and encryption of personal values."""

    def __init__(self, keyring: Keyring) -> None:
        super().__init__(transcoder=MsgspecTranscoder())
        self._keyring = keyring
        self._unrevealed: list[Sealed] = []
        self._decoders: dict[type, msgspec.json.Decoder[Any]] = {}

    async def encode_many(self, events: Sequence[Event]) -> list[StoredEvent]:
        """Return rows for the log with sealed personal values. Creates the keys of new persons."""
        subjects = {
            personal.subject
            for event in events
            if carries_personal(type(event))  # type: ignore[arg-type]  # as below
            for personal in personals(vars(event).values())
        }
        keys = await self._keyring.keys_for_writing(subjects)
        return await in_turns(lambda event: self._to_row(event, keys), events)

    async def decode_many(self, rows: Sequence[StoredEvent]) -> list[Any]:
        """Return the events or snapshots in the rows. The personal values of erased persons are None.

        Rows of events name their stream, rows of snapshots their aggregate. Raises SealedValueDamaged.
        """
        unrevealed: list[Sealed] = []

        def decode(row: StoredEvent) -> Any:
            self._unrevealed = unrevealed  # each time, because other tasks decode between two batches
            return self.to_domain_event(row)

        events = await in_turns(decode, rows)
        self._unrevealed = []
        if unrevealed:
            await self._reveal(unrevealed)
        return events

    async def _reveal(self, values: Sequence[Sealed]) -> None:
        """Decrypt the values. Those of persons whose keys were destroyed stay None; any other failure is an alarm."""
        keys = await self._keyring.keys({sealed.subject for sealed in values})
        without_key = {sealed.subject for sealed in values} - keys.keys()
        erased = await self._keyring.destroyed(without_key) if without_key else set()

        def reveal(sealed: Sealed) -> None:
            if sealed.subject not in erased:
                sealed.reveal(keys.get(sealed.subject))

        try:
            await in_turns(reveal, values)
        except SealedValueDamaged as damage:
            DAMAGED_VALUES.inc()
            _log.error("sealed-value-damaged", place=str(damage))
            raise

    async def encode_snapshot(self, aggregate: Audited) -> StoredEvent:
        """Return the row of a snapshot of the aggregate."""
        state = {
            name: value for name, value in vars(aggregate).items() if name not in {"_id", "_version", "_pending_events"}
        }
        keys = await self._keyring.keys_for_writing({personal.subject for personal in personals(state.values())})
        kind = type(aggregate)
        location = ValueLocation(kind.stream_of(aggregate.id), aggregate.version, snapshot_topic(kind), "")
        sealed = {name: seal(value, keys, location._replace(field=name)) for name, value in state.items()}
        return StoredEvent(location.stream, location.version, location.topic, self.transcoder.encode(sealed))

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        topic, _, shape = stored_event.topic.partition("#")
        kind = resolve_topic(topic)
        before = len(self._unrevealed)
        state = self._typed(kind, stored_event.state) if shape else self._state_of(kind, bytes(stored_event.state))
        if len(self._unrevealed) > before:
            stream = UUID(str(stored_event.originator_id))
            for sealed in self._unrevealed[before:]:
                sealed.location = ValueLocation(
                    kind.stream_of(stream) if shape else stream,
                    stored_event.originator_version,
                    stored_event.topic,
                    sealed.location.field,
                )
        if shape:
            return _snapshot(stored_event, topic, state)
        name = getattr(kind, "NAMED_BY", None)
        state["originator_id"] = stored_event.originator_id if name is None else state[name]
        state["originator_version"] = stored_event.originator_version
        event = object.__new__(kind)
        object.__setattr__(event, "__dict__", state)
        return event

    def _state_of(self, kind: type, data: bytes) -> dict[str, Any]:
        version = getattr(kind, "class_version", 1)
        if version == 1:
            return self._typed(kind, data)
        raw = self.transcoder.decode(data)
        note_fields(raw)  # before the upcasts, which may rename fields: values are sealed for their original field
        for older in range(raw.pop("class_version", 1), version):
            getattr(kind, f"upcast_v{older}_v{older + 1}")(raw)
        return msgspec.convert(raw, _shape(kind), dec_hook=self._unseal)  # type: ignore[no-any-return]

    def _typed(self, kind: type, data: bytes) -> dict[str, Any]:
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(_shape(kind), dec_hook=self._unseal)
        before = len(self._unrevealed)
        state: dict[str, Any] = decoder.decode(data)
        if len(self._unrevealed) > before:
            for field, sealed in sealed_fields(state, ""):
                sealed.location = sealed.location._replace(field=field)
        return state

    def _unseal(self, kind: type, value: Any) -> Any:
        if kind is not Personal:
            raise NotImplementedError(f"an event cannot contain {kind.__name__}")
        sealed = Sealed(UUID(value["subject"]), value["sealed"], value.get(FIELD, ""))
        self._unrevealed.append(sealed)
        return sealed

    def _to_row(self, event: Event, keys: Mapping[UUID, DataKey]) -> StoredEvent:
        kind = type(event)
        fields = vars(event)
        stream, topic = event.originator_id, get_topic(kind)
        if getattr(kind, "NAMED_BY", None) is not None:
            stream = kind.stream_of(stream)  # type: ignore[attr-defined]  # `domain.core.audited.Audited.Event`
        if carries_personal(kind):  # type: ignore[arg-type]  # mypy takes the instances' __hash__ for the class's
            location = ValueLocation(stream, event.originator_version, topic, "")
            state = {
                name: seal(value, keys, location._replace(field=name))
                for name, value in fields.items()
                if name not in _NOT_STATE
            }
        else:  # most events; takes 4 µs instead of 35
            state = {name: value for name, value in fields.items() if name not in _NOT_STATE}
        state["by"] = _encoded_context(fields["by"])
        if (version := getattr(kind, "class_version", 1)) > 1:
            state["class_version"] = version
        return StoredEvent(stream, event.originator_version, topic, self.transcoder.encode(state))


@cache
def snapshot_topic(kind: type[Audited]) -> str:
    """Return the topic of snapshots, with a hash of their shape. Snapshots of another shape are ignored.

    So the fields of an aggregate may change without an upcast.
    """
    schema = msgspec.json.schema(_shape(kind), schema_hook=lambda unknown: {"title": unknown.__name__})
    version = getattr(kind, "class_version", 1)
    shape = hashlib.sha256(msgspec.json.encode([version, schema], order="deterministic")).hexdigest()
    return f"{get_topic(kind)}#{shape[:12]}"


def _snapshot(row: StoredEvent, topic: str, state: dict[str, Any]) -> Snapshot:
    return Snapshot(
        originator_id=UUID(str(row.originator_id)),
        originator_version=row.originator_version,
        timestamp=state["_modified_on"],
        topic=topic,
        state=state,
    )


@lru_cache(maxsize=1024)
def _encoded_context(by: AuditContext) -> msgspec.Raw:
    """Return the encoded audit context; cached, because all events of a command have the same."""
    parts = {field.name: getattr(by, field.name) for field in dataclasses.fields(by)}
    return msgspec.Raw(msgspec.json.encode({name: part for name, part in parts.items() if part is not None}))
