"""Enrollment schemas and data are checked in bounded time, in a process of their own (rulings K87 and K103)."""

import asyncio
import json
from typing import Any

import pytest

from adapters.security.enrollment_schemas import PROGRAM, CheckedEnrollmentSchemas
from domain.core.errors import TooMany
from domain.organizations.enrollment import InvalidSchema, Violation
from tests.support.processes import processes

DOUBLING = {
    "type": "object",
    "$defs": {
        **{f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(24)},
        "d24": {"type": "string"},
    },
    "properties": {"a": {"$ref": "#/$defs/d0"}},
}
"""A schema whose check takes twice as long with each definition."""


async def violations(schemas: CheckedEnrollmentSchemas, schema: Any, data: Any) -> list[Violation]:
    return await schemas.violations(json.dumps(schema), json.dumps(data))


async def test_each_violation_has_the_path_to_its_place() -> None:
    schema = {
        "type": "object",
        "required": ["b"],
        "additionalProperties": False,
        "properties": {"a": {"type": "array", "items": {"type": "string", "maxLength": 1}}, "b": {}},
    }
    with CheckedEnrollmentSchemas() as schemas:
        found = await violations(schemas, schema, {"a": ["x", "yy", 1], "c": 1, "d": 2})
        assert sorted(found, key=str) == sorted(
            [
                Violation(("b",), "required", missing=True),
                Violation(("a", 1), "maxLength"),
                Violation(("a", 2), "type"),
                Violation(("c",), "additionalProperties"),
                Violation(("d",), "additionalProperties"),
            ],
            key=str,
        )
        assert await violations(schemas, schema, {"a": [], "b": None}) == []


async def test_formats_are_checked() -> None:
    schema = {"type": "object", "properties": {"day": {"format": "date"}}}
    with CheckedEnrollmentSchemas() as schemas:
        assert await violations(schemas, schema, {"day": "tomorrow"}) == [Violation(("day",), "format")]
        assert await violations(schemas, schema, {"day": "2026-02-28"}) == []


@pytest.mark.parametrize("schema", [{"type": "object", "$ref": "#"}, {"type": "object", "$dynamicRef": "#"}])
async def test_a_schema_that_refers_to_itself_for_ever_ends(schema: dict[str, Any]) -> None:
    with CheckedEnrollmentSchemas() as schemas:
        assert await violations(schemas, schema, {"a": 1}) == []


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*(?=b)$"])
async def test_a_costly_pattern_is_bounded(pattern: str) -> None:
    schema = {"type": "object", "properties": {"a": {"pattern": pattern}}}
    with CheckedEnrollmentSchemas() as schemas:
        (found,) = await violations(schemas, schema, {"a": "a" * 60_000 + "!"})
        assert found.path == ("a",)


async def test_a_check_that_takes_too_long_ends_and_the_next_one_works() -> None:
    with CheckedEnrollmentSchemas() as schemas:
        await schemas.require_valid(json.dumps(DOUBLING))
        with pytest.raises(InvalidSchema):
            await violations(schemas, DOUBLING, {"a": 1})
        assert await violations(schemas, {"type": "object"}, {"a": 1}) == []


async def test_the_queue_of_checks_is_bounded() -> None:
    with CheckedEnrollmentSchemas() as schemas:
        checks = [asyncio.create_task(schemas.require_valid('{"type":"object"}')) for _ in range(40)]
        outcomes = await asyncio.gather(*checks, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {type(None), TooMany}


async def test_the_process_ends_with_its_user() -> None:
    with CheckedEnrollmentSchemas() as schemas:
        await schemas.require_valid('{"type":"object"}')
        assert processes(str(PROGRAM))
        waiting = asyncio.create_task(violations(schemas, DOUBLING, {"a": 1}))
        await asyncio.sleep(0)
    with pytest.raises(InvalidSchema):
        await waiting
