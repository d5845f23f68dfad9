"""Values for a schema: one that it takes, and many that it must not take, each with a word that says why."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.contract.described import Schema

SOME_ID = "5b3a4a5e-0f6f-4d0e-9d3c-7a2f6f1f0c11"
BY_FORMAT = {"uuid": SOME_ID, "date": "2024-02-29", "date-time": "2024-02-29 12:00:00", "email": "somebody@people.test"}
CANDIDATES = ("sample", "/records/sample", "care.example.org", "+12025550123", "a1", "2024", "a")
OF_OTHER_TYPES: dict[str, list[Any]] = {
    "string": [1, True, ["x"], {}],
    "integer": ["1", 1.5, True, []],
    "number": ["1", True],
    "boolean": ["true", 1, []],
    "array": ["x", {}, 1],
    "object": ["x", [], 1],
}
BAD_BY_FORMAT = {
    "uuid": ["x", "", SOME_ID.replace("-", ""), f"{{{SOME_ID}}}", f"urn:uuid:{SOME_ID}", f"{SOME_ID}0"],
    "date": ["2024-02-30", "2024-1-1", "20240101", "2024-01-01T00:00:00Z", "x", ""],
    "date-time": ["2024-01-01", "yesterday", ""],
    "email": ["nobody", "@people.test", "a@", "a b@people.test", "a@@people.test", ""],
}
BAD_FLAGS = ["1", "0", "yes", "TRUE", "True", "", "null"]
BAD_NUMBERS = ["x", "", "1.5", "1e2", "0x1", " 1", "1_0", "9" * 30]
BAD_COMPARISONS = [
    "2024-01-01 00:00:00", ">", ">2024-01-01", "=2024-01-01 00:00:00", "!=2024-01-01 00:00:00",
    ">2024-01-01T00:00:00 02:00", ">2024-02-30 00:00:00", ">=>2024-01-01 00:00:00", "",
]  # fmt: skip
NAMES = {"name", "display-name"}


def sample(schema: Schema, name: str = "") -> Any:
    """A value that the schema takes. Of an object only what must be there."""
    fixed = [schema["const"]] if "const" in schema else schema.get("enum", [])
    if fixed:
        return fixed[0]
    match schema.get("type", "string"):
        case "object":
            members = schema.get("properties", {})
            return {each: sample(members[each], each) for each in schema.get("required", ())}
        case "array":
            return [sample(schema.get("items", {}), name) for _ in range(max(1, schema.get("minItems", 1)))]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            return _text(schema, name)


def _text(schema: Schema, name: str) -> str:
    if name == "access-query":
        return "organization::read"
    if name.startswith("filter[cmp-"):
        return ">2024-01-01 00:00:00"
    if name == "expired-at":  # of an anonymous access, at most 90 days away (ruling K132)
        return f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d %H:%M:%S}"
    if schema.get("format") in BY_FORMAT:
        return BY_FORMAT[schema["format"]]
    fitting = (each for each in CANDIDATES if re.search(schema.get("pattern", ""), each))
    return next(fitting)[: schema.get("maxLength")].ljust(schema.get("minLength", 0), "x")


def bad_members(schema: Schema, name: str) -> Iterator[tuple[str, Any]]:
    """What a member of a JSON body must not be. Members of objects and items of arrays are not looked into."""
    for value in OF_OTHER_TYPES[schema.get("type", "string")]:
        yield f"{type(value).__name__} for {schema.get('type')}", value
    if not schema.get("nullable"):
        yield "null", None
    match schema.get("type", "string"):
        case "string":
            yield from _bad_texts(schema, name)
            yield from (("NUL", "a\0b"), ("a lone surrogate", "a\ud800b"))
        case "integer" | "number":
            yield from (("beyond 64 bits", 2**63), ("far below 64 bits", -(10**30)))
            yield from _out_of_range(schema)
        case "object" if "properties" not in schema:  # any object: what stands in it must be storable
            yield from (("a NUL in it", {"x": "a\0b"}), ("a number beyond 64 bits in it", {"x": 10**30}))
        case "array":
            yield from _miscounted(schema, name)


def bad_arguments(schema: Schema, name: str) -> Iterator[tuple[str, str]]:
    """What the text of a parameter, or of one item of an array parameter, must not be."""
    match schema.get("type", "string"):
        case "boolean":
            yield from (("no boolean", text) for text in [*BAD_FLAGS, *(["false"] if "const" in schema else [])])
        case "integer":
            yield from (("no integer", text) for text in BAD_NUMBERS)
            yield from ((what, str(value)) for what, value in _out_of_range(schema))
        case _:
            yield "NUL", "a\0b"
            yield from _bad_texts(schema, name)


def _bad_texts(schema: Schema, name: str) -> Iterator[tuple[str, str]]:
    if name.startswith("filter[cmp-"):
        yield from (("no comparison", text) for text in BAD_COMPARISONS)
    if "enum" in schema:
        yield from (("not in the enum", text) for text in ("no-such-value", "", schema["enum"][0].upper() + "X"))
        return
    yield from ((f"no {schema['format']}", text) for text in BAD_BY_FORMAT.get(schema.get("format", ""), ()))
    if "maxLength" in schema:
        longer = schema["maxLength"] + 1
        yield "too long", _text(schema, name).rjust(longer, "x")
    if "minLength" in schema:
        yield "too short", "x" * (schema["minLength"] - 1)
    if "pattern" in schema:
        fitting = ("no match of the pattern", "No Match!")
        assert not re.search(schema["pattern"], fitting[1])
        yield fitting
    if name in NAMES and schema.get("minLength"):
        yield "blank", " \t "


def _out_of_range(schema: Schema) -> Iterator[tuple[str, int]]:
    if "minimum" in schema:
        yield "below the minimum", schema["minimum"] - 1
    if "maximum" in schema:
        yield "above the maximum", schema["maximum"] + 1


def _miscounted(schema: Schema, name: str) -> Iterator[tuple[str, list[Any]]]:
    if schema.get("minItems"):
        yield "too few items", [sample(schema["items"], name)] * (schema["minItems"] - 1)
    if "maxItems" in schema:
        yield "too many items", [sample(schema["items"], name)] * (schema["maxItems"] + 1)
