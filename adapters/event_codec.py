"""Events to rows and back: JSON by msgspec, typed by the events' own annotations, personal values sealed.

An event's state reads like {"by": {"actor": "…"}, "timestamp": "…", "name": {"subject": "…", "sealed": "…"}}.
"""

import dataclasses
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, ClassVar, TypedDict, get_origin, get_type_hints
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from eventsourcing.domain import CanMutateAggregate, Snapshot
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder
from eventsourcing.utils import get_topic, resolve_topic

from adapters.keyring import DataKey, Keyring
from domain.audited import Acting, Audited
from domain.personal import Personal, PersonErased
from domain.turns import InTurns

Event = CanMutateAggregate[UUID]
_NOT_STATE = {"originator_id", "originator_version", "originator_id_type"}


class _Sealed(Personal):
    """A personal value as it came from the log, until its key is at hand."""

    __slots__ = ("sealed",)

    def __init__(self, subject: UUID, sealed: bytes) -> None:
        super().__init__(subject, None)
        self.sealed = sealed

    def reveal(self, keys: Mapping[UUID, DataKey]) -> None:
        """Without a key (erased) or with a spoilt value the person stays unreadable."""
        key = keys.get(self.subject)
        if key is not None and self.sealed:
            with suppress(InvalidTag, ValueError):
                self._value = key.open(self.sealed).decode()


class MsgspecTranscoder(Transcoder):
    """JSON of plain values, UUIDs and datetimes. Refuses what is personal: that has to be sealed first."""

    def __init__(self) -> None:
        super().__init__()
        self._encoder = msgspec.json.Encoder(enc_hook=_refuse)

    def encode(self, obj: Any) -> bytes:
        return self._encoder.encode(obj)

    def decode(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


def _refuse(value: object) -> Any:
    raise NotImplementedError(f"{type(value).__name__} cannot stand in an event")


@cache
def _shape(kind: type) -> Any:
    """A TypedDict of what an event or an aggregate of this class holds beside its id and version."""
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
    """The library's mapper with typed decoding (its upcasts included) and personal values under their keys."""

    def __init__(self, keyring: Keyring) -> None:
        super().__init__(transcoder=MsgspecTranscoder())
        self._keyring = keyring
        self._met: list[_Sealed] = []
        self._decoders: dict[type, msgspec.json.Decoder[Any]] = {}

    async def encode_many(self, events: Sequence[Event]) -> list[StoredEvent]:
        """Rows for the log. Personal values are sealed; new persons get a key first."""
        subjects = {
            personal.subject
            for event in events
            if _carries_personal(type(event))  # type: ignore[arg-type]  # as below
            for personal in _personals(vars(event).values())
        }
        keys = await self._keyring.keys_for_writing(subjects)
        rows = []
        async for batch in InTurns(events):
            rows += [self._to_row(event, keys) for event in batch]
        return rows

    async def decode_many(self, rows: Iterable[StoredEvent]) -> list[Any]:
        """Events (or snapshots), personal values revealed as far as their keys still exist: one query at the most."""
        met: list[_Sealed] = []
        events = []
        async for batch in InTurns(rows):
            self._met = met  # others decode in between
            events += [self.to_domain_event(row) for row in batch]
        self._met = []
        if met:
            keys = await self._keyring.keys({sealed.subject for sealed in met})
            for sealed in met:
                sealed.reveal(keys)
        return events

    async def encode_snapshot(self, aggregate: Audited) -> StoredEvent:
        """The row that stands for all events of the aggregate so far."""
        state = {
            name: value for name, value in vars(aggregate).items() if name not in {"_id", "_version", "_pending_events"}
        }
        keys = await self._keyring.keys_for_writing({personal.subject for personal in _personals(state.values())})
        sealed = {name: _seal(value, keys) for name, value in state.items()}
        kind = type(aggregate)
        return StoredEvent(
            kind.stream_of(aggregate.id), aggregate.version, snapshot_topic(kind), self.transcoder.encode(sealed)
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        topic, _, shape = stored_event.topic.partition("#")
        kind = resolve_topic(topic)
        if shape:
            return _snapshot(stored_event, topic, self._typed(kind, stored_event.state))
        state = self._state_of(kind, bytes(stored_event.state))
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
        for older in range(raw.pop("class_version", 1), version):
            getattr(kind, f"upcast_v{older}_v{older + 1}")(raw)
        return msgspec.convert(raw, _shape(kind), dec_hook=self._unseal)  # type: ignore[no-any-return]

    def _typed(self, kind: type, data: bytes) -> dict[str, Any]:
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(_shape(kind), dec_hook=self._unseal)
        return decoder.decode(data)  # type: ignore[no-any-return]

    def _unseal(self, kind: type, value: Any) -> Any:
        if kind is not Personal:
            raise NotImplementedError(f"{kind.__name__} cannot stand in an event")
        sealed = _Sealed(UUID(value["subject"]), b64decode(value["sealed"]))
        self._met.append(sealed)
        return sealed

    def _to_row(self, event: Event, keys: Mapping[UUID, DataKey]) -> StoredEvent:
        kind = type(event)
        fields = vars(event)
        if _carries_personal(kind):  # type: ignore[arg-type]  # mypy takes the instances' __hash__ for the class's
            state = {name: _seal(value, keys) for name, value in fields.items() if name not in _NOT_STATE}
        else:  # most events: 4 µs instead of 35
            state = {name: value for name, value in fields.items() if name not in _NOT_STATE}
        state["by"] = _circumstances(fields["by"])
        if (version := getattr(kind, "class_version", 1)) > 1:
            state["class_version"] = version
        stream = event.originator_id
        if getattr(kind, "NAMED_BY", None) is not None:
            stream = kind.stream_of(stream)  # type: ignore[attr-defined]  # `domain.audited.Audited.Event`
        return StoredEvent(stream, event.originator_version, get_topic(kind), self.transcoder.encode(state))


@cache
def snapshot_topic(kind: type[Audited]) -> str:
    """Names the shape too: a snapshot of another shape is passed over, so aggregates may change without an upcast."""
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


def _personals(values: Iterable[Any]) -> Iterable[Personal]:
    for value in values:
        if isinstance(value, Personal):
            yield value
        elif isinstance(value, dict):
            yield from _personals(value.values())
        elif isinstance(value, list | tuple):
            yield from _personals(value)


def _seal(value: Any, keys: Mapping[UUID, DataKey]) -> Any:
    match value:
        case Personal(subject=subject, value=None):
            return {"subject": subject, "sealed": ""}
        case Personal(subject=subject, value=str(clear)):
            if subject not in keys:
                raise PersonErased
            return {"subject": subject, "sealed": b64encode(keys[subject].seal(clear.encode())).decode()}
        case dict():
            return {key: _seal(part, keys) for key, part in value.items()}
        case list() | tuple():
            return [_seal(part, keys) for part in value]
        case _:
            return value


@cache
def _carries_personal(kind: type) -> bool:
    """Whether events of this class can hold a personal value at all."""
    return any("Personal" in str(hint) for hint in get_type_hints(kind).values())


@lru_cache(maxsize=1024)
def _circumstances(by: Acting) -> msgspec.Raw:
    """The same for all events of a command, so encoded once."""
    parts = {field.name: getattr(by, field.name) for field in dataclasses.fields(by)}
    return msgspec.Raw(msgspec.json.encode({name: part for name, part in parts.items() if part is not None}))
