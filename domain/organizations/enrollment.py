"""Enrollment schemas: what organizations ask of people who sign up with a code (rulings K87 and K103)."""

from typing import NamedTuple, Protocol

from domain.core.errors import Invalid

MAX_SCHEMA = 64 * 1024
"""Bytes of a schema as compact JSON."""
MAX_DATA = 64 * 1024
"""Bytes of enrollment data as compact JSON."""


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


class EnrollmentDataTooLarge(Invalid):
    """The enrollment data is larger than 64 KiB."""


class EnrollmentViolation(Invalid):
    """The enrollment schema of the organization does not allow this."""


class EnrollmentMemberMissing(EnrollmentViolation, code="missing-attribute"):
    """The enrollment schema of the organization requires this attribute."""


async def require_enrollment_data(schemas: EnrollmentSchemas, schema: str | None, data: str) -> None:
    """Raise a refusal for each violation of the schema, at its place in the data; EnrollmentDataTooLarge; TooMany.

    Data without a schema is only limited in its size. No refusal quotes a value.
    """
    if len(data.encode()) > MAX_DATA:
        raise EnrollmentDataTooLarge(argument="enrollment_data")
    if schema is None:
        return
    try:
        violations = await schemas.violations(schema, data)
    except InvalidSchema:  # the check took too long
        raise EnrollmentViolation(argument="enrollment_data") from None
    refusals = [_refusal(violation) for violation in violations]
    if refusals:
        refusals[0].others = tuple(refusals[1:])
        raise refusals[0]


def _refusal(violation: Violation) -> Invalid:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in violation.path)
    argument = "/".join(["enrollment_data", *parts])
    if violation.missing:
        return EnrollmentMemberMissing(argument=argument)
    return EnrollmentViolation(f"The enrollment schema does not allow this ({violation.keyword}).", argument=argument)


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
