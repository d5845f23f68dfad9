"""The schemas of organization codes (ruling K103)."""

from typing import Any

import pytest

from tests.api.organizations.templates import changed
from tests.api.organizations.test_enrollment_codes import ATTRIBUTES, KIND, PATH, SCHEMA, a_code, refused
from tests.support.world.product import a_world


@pytest.mark.parametrize(
    "part",
    [
        {"properties": {"$schema": {"type": "string"}, "$ref": {"type": "string"}, "$dynamicRef": {}}},
        {"properties": {"a": {"enum": [{"$ref": "https://example.org/"}], "const": {"$schema": "x"}}}},
        {"examples": [{"$ref": "other.json"}], "default": {"$ref": "other.json"}},
        {"x-form": {"$ref": "other.json"}},
    ],
)
async def test_what_only_looks_like_a_reference_is_allowed(database_url: str, part: dict[str, Any]) -> None:
    """Ruling K103: `$ref` and `$schema` are keywords only where a schema stands."""
    async with a_world(database_url, projecting=False) as world:
        await a_code(world, await world.organization(), enrollment_schema={"type": "object", **part})


@pytest.mark.parametrize(
    "place",
    [
        lambda schema: {"properties": {"properties": schema}},
        lambda schema: {"allOf": [{"if": {"not": {"items": schema}}}]},
        lambda schema: {"patternProperties": {"^a": {"additionalProperties": schema}}},
        lambda schema: {"dependentSchemas": {"a": {"prefixItems": [schema]}}},
        lambda schema: {"$defs": {"a": schema}},
        lambda schema: {"enum": [schema], "properties": {"a": {"$ref": "#/enum/0"}}},
    ],
)
async def test_no_place_of_a_schema_may_refer_to_another(database_url: str, place: Any) -> None:
    """Ruling K103."""
    async with a_world(database_url, projecting=False) as world:
        clinic = await world.organization()
        for schema in ({"$ref": "other.json"}, {"$ref": "https://example.org/schema"}):
            refusal = await a_code(world, clinic, status=400, enrollment_schema={"type": "object", **place(schema)})
            assert refused(refusal) == ("invalid-attribute", {"pointer": f"{ATTRIBUTES}enrollment-schema"})


async def test_a_schema_may_refer_to_itself(database_url: str) -> None:
    async with a_world(database_url) as world:
        schema = {"type": "object", "$defs": {"n": {"type": "integer"}}, "properties": {"n": {"$ref": "#/$defs/n"}}}
        made = await a_code(world, await world.organization(), enrollment_schema=schema)
        assert made["data"]["attributes"]["enrollment-schema"] == schema


async def test_a_bad_schema_is_refused_in_a_change_too(database_url: str) -> None:
    async with a_world(database_url) as world:
        await a_code(world, await world.organization(), enrollment_schema=SCHEMA)
        body = changed(KIND, "North-1", enrollment_schema={"type": "string"})
        refusal = await world.patch(f"{PATH}North-1/", body, world.system, 400)
        assert refused(refusal) == ("invalid-attribute", {"pointer": f"{ATTRIBUTES}enrollment-schema"})
        answer = await world.patch(f"{PATH}North-1/", changed(KIND, "North-1", enrollment_schema=None), world.system)
        assert answer["data"]["attributes"]["enrollment-schema"] is None
