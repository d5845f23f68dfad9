"""Personal values of events and snapshots: how they are sealed, found and decrypted."""

import dataclasses
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, get_type_hints
from uuid import UUID

from cryptography.exceptions import InvalidTag

from adapters.security.keyring import DataKey, ValueLocation
from domain.core.personal import Personal, PersonErased

FIELD = "field"
"""Added to a sealed value while its event is upcast, and never stored."""
_NOWHERE = UUID(int=0)


class SealedValueDamaged(Exception):
    """A sealed value cannot be decrypted although its key was not destroyed: it was changed or moved."""

    def __init__(self, location: ValueLocation) -> None:
        super().__init__(f"{location.field} of {location.topic} at {location.stream}/{location.version}")


class Sealed(Personal):
    """A personal value from the log that is not decrypted yet."""

    __slots__ = ("location", "sealed")

    def __init__(self, subject: UUID, sealed: str, field: str) -> None:
        super().__init__(subject, None)
        self.sealed = sealed
        self.location = ValueLocation(_NOWHERE, 0, "", field)

    def reveal(self, key: DataKey | None) -> None:
        """Decrypt the value. Raises SealedValueDamaged; also without a key, because the person was not erased."""
        if key is None:
            raise SealedValueDamaged(self.location)
        try:
            self._value = key.open(b64decode(self.sealed, validate=True), self.location).decode()
        except (InvalidTag, ValueError):
            raise SealedValueDamaged(self.location) from None


def personals(values: Iterable[Any]) -> Iterable[Personal]:
    """Yield the personal values in the fields of an event or an aggregate, and in what these contain."""
    for value in values:
        if isinstance(value, Personal):
            yield value
        elif isinstance(value, dict):
            yield from personals(value.values())
        elif isinstance(value, list | tuple):
            yield from personals(value)
        elif dataclasses.is_dataclass(value):
            yield from personals(vars(value).values())


def seal(value: Any, keys: Mapping[UUID, DataKey], location: ValueLocation) -> Any:
    """Return the value with its personal values sealed for their location. Raises PersonErased without a key."""
    match value:
        case Personal(subject=subject, value=None):
            return {"subject": subject, "sealed": ""}
        case Personal(subject=subject, value=str(clear)):
            if subject not in keys:
                raise PersonErased
            return {"subject": subject, "sealed": b64encode(keys[subject].seal(clear.encode(), location)).decode()}
        case dict():
            return {key: seal(part, keys, _within(location, key)) for key, part in value.items()}
        case list() | tuple():
            return [seal(part, keys, _within(location, number)) for number, part in enumerate(value)]
        case _ if dataclasses.is_dataclass(value):
            return seal(vars(value), keys, location)
        case _:
            return value


def _within(location: ValueLocation, key: object) -> ValueLocation:
    return location._replace(field=f"{location.field}/{key}")


def sealed_fields(value: Any, field: str) -> Iterable[tuple[str, Sealed]]:
    """Yield the sealed values in a decoded state, each with its path."""
    if isinstance(value, Sealed):
        yield field, value
    for key, part in _parts(value):
        yield from sealed_fields(part, f"{field}/{key}" if field else str(key))


def note_fields(value: Any, field: str = "") -> None:
    """Add its path to each sealed value in a state decoded from JSON."""
    if isinstance(value, dict) and value.keys() >= {"subject", "sealed"}:
        value[FIELD] = field
        return
    for key, part in _parts(value):
        note_fields(part, f"{field}/{key}" if field else str(key))


def _parts(value: Any) -> Iterable[tuple[object, Any]]:
    if isinstance(value, dict):
        return value.items()
    if dataclasses.is_dataclass(value):
        return vars(value).items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


@cache
def carries_personal(kind: type) -> bool:
    """Return whether events of this class, or the dataclasses in them, have a field for a personal value."""
    return any(
        "Personal" in str(hint) or (dataclasses.is_dataclass(hint) and carries_personal(hint))  # type: ignore[arg-type]
        for hint in get_type_hints(kind).values()
    )
