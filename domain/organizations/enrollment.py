"""Enrollment schemas: what organizations ask of people who sign up with a code (rulings K87 and K103)."""

from typing import NamedTuple, Protocol

from domain.core.errors import Invalid

MAX_SCHEMA = 64 * 1024
"""Bytes of a schema as compact JSON."""


class InvalidSchema(Invalid):
    """The enrollment schema must be a JSON Schema (2020-12) of type object that refers to nothing but itself."""


class SchemaTooLarge(Invalid):
    """The enrollment schema is larger than 64 KiB."""


class Violation(NamedTuple):
    """A part of enrollment data that breaks a keyword of the schema; `missing` tells that nothing is at the path."""

    path: tuple[str | int, ...]
    keyword: str
    missing: bool = False


class EnrollmentSchemas(Protocol):
    """Checks schemas, and data against them, in bounded time and without any other resource."""

    async def require_valid(self, schema: str) -> None:
        """Raise InvalidSchema for JSON text that is no such schema, or takes too long to check; TooMany."""
        ...

    async def violations(self, schema: str, data: str) -> list[Violation]:
        """Return the violations of JSON text. Raises InvalidSchema when the check takes too long; TooMany."""
        ...


async def require_enrollment_schema(schemas: EnrollmentSchemas, schema: str | None) -> None:
    """Raise SchemaTooLarge or InvalidSchema when a code may not have this schema."""
    if schema is None:
        return
    if len(schema.encode()) > MAX_SCHEMA:
        raise SchemaTooLarge(argument="enrollment_schema")
    try:
        await schemas.require_valid(schema)
    except InvalidSchema:
        raise InvalidSchema(argument="enrollment_schema") from None
