"""The text form of access queries: `type:id:operation` (semantics, 6.1)."""

import re
from typing import cast
from uuid import UUID

from domain.core.errors import Invalid
from domain.core.ports import LISTABLE, AccessQuery, Operation

MAX_LENGTH = 256
OPERATIONS = {
    "group": ("read", "write", "contain"),
    "individual": ("read", "write"),
    "organization": ("read", "write"),
    "system": ("read", "write"),
}

_APP = re.compile(r"app\.[a-z0-9_.-]{1,64}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


class InvalidAccessQuery(Invalid, code="invalid-access-query"):
    """An access query has the form type:id:operation, for example group::read."""


def parse(text: str) -> AccessQuery:
    """Return the query that the text stands for. Raises InvalidAccessQuery."""
    parts = text.split(":")
    if len(parts) != 3 or len(text) > MAX_LENGTH or _NOT_STORABLE.search(text):
        raise InvalidAccessQuery
    resource_type, resource_id, operation = parts
    if operation not in _operations(resource_type):
        raise InvalidAccessQuery
    return AccessQuery(resource_type, _resource(resource_type, resource_id), cast(Operation, operation))


def _operations(resource_type: str) -> tuple[str, ...]:
    return OPERATIONS["system"] if _APP.fullmatch(resource_type) else OPERATIONS.get(resource_type, ())


def _resource(resource_type: str, text: str) -> UUID | str | None:
    if resource_type not in LISTABLE:
        return text
    if not text:
        return None
    if not _UUID.fullmatch(text):
        raise InvalidAccessQuery
    return UUID(text)
