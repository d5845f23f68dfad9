"""The program of the process that checks enrollment schemas, and data against them. It is run by its path.

A line of input is a JSON array: the text of a schema, and the text of the data or null. A line of output is null when
the schema is not valid, else an array with an item for each violation of the data: the path to its place, the keyword
that it breaks, and whether something is missing at its place. The program ends when its input ends, because its parent
has ended. A schema may need exponential time: the process is killed by its timer.
"""

import json
import signal
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from jsonschema_rs import Draft202012Validator, ReferencingError, ValidationError, ValidationErrorKind

MAX_SECONDS = 1.0
"""Processor time for one line (ruling K87). Elapsed time would refuse good data on a busy machine."""
MAX_VIOLATIONS = 100
DIALECT = "https://json-schema.org/draft/2020-12/schema"

WITH_SCHEMA = frozenset({
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then",
    "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
WITH_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
WITH_NAMED_SCHEMAS = frozenset({
    "$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties",
})  # fmt: skip
"""Keywords of 2020-12 whose value is a schema, an array of schemas, or an object with schemas under names."""

Violation = tuple[list[str | int], str, bool]


def answer(schema: str, data: str | None) -> list[Violation] | None:
    """Return the violations of the data, None when the schema is not valid."""
    validator = compiled(json.loads(schema))
    if validator is None:
        return None
    errors = validator.iter_errors(json.loads(data)) if data is not None else iter(())
    return list(islice((violation for error in errors for violation in violations(error)), MAX_VIOLATIONS))


def compiled(schema: Any) -> Draft202012Validator | None:
    """Return the validator of a schema of objects that refers to nothing but itself; None for any other schema."""
    if not isinstance(schema, dict) or schema.get("type") != "object" or not refers_to_itself(schema):
        return None
    try:
        return Draft202012Validator(schema, offline=True, validate_formats=True)
    except (ValidationError, ReferencingError, ValueError):
        return None


def refers_to_itself(schema: Any) -> bool:
    """Return whether all references in the schema are fragments, and its dialect is the one that we know."""
    if not isinstance(schema, dict):
        return True
    references = [schema.get(name) for name in ("$ref", "$dynamicRef")]
    outward = any(isinstance(each, str) and not each.startswith("#") for each in references)
    return schema.get("$schema", DIALECT) == DIALECT and not outward and all(map(refers_to_itself, subschemas(schema)))


def subschemas(schema: dict[str, Any]) -> Iterator[Any]:
    """Yield what stands in the schema where 2020-12 expects schemas; a "$ref" anywhere else is no reference."""
    for keyword, value in schema.items():
        if keyword in WITH_SCHEMA:
            yield value
        elif keyword in WITH_SCHEMAS and isinstance(value, list):
            yield from value
        elif keyword in WITH_NAMED_SCHEMAS and isinstance(value, dict):
            yield from value.values()


def violations(error: ValidationError) -> Iterator[Violation]:
    """Yield a violation at its place: what is missing or unexpected is named by its own path."""
    path, kind = error.instance_path, error.kind
    match kind:
        case ValidationErrorKind.Required(property=name):
            yield [*path, name], kind.name, True
        case ValidationErrorKind.AdditionalProperties() | ValidationErrorKind.UnevaluatedProperties():
            yield from (([*path, name], kind.name, False) for name in kind.unexpected)
        case _:
            yield path, kind.name, False


def main() -> None:
    """Answer each line of input until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_VIRTUAL, MAX_SECONDS)  # its signal ends the process, also inside the library
        found = answer(*json.loads(line))
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        sys.stdout.write(f"{json.dumps(found)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
