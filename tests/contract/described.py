"""The app's operations as described: by the contract, where it knows them, completed by the app's own document."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from api.app import openapi_document
from tests.contract.check import FOLDER

Schema = dict[str, Any]

LIMITS = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "pattern", "format", "enum", "const")


@dataclass(frozen=True)
class Parameter:
    name: str
    where: str
    required: bool
    schema: Schema


@dataclass(frozen=True)
class Operation:
    """`body` is None where none is described; `tag` is the resource."""

    method: str
    path: str
    tag: str
    parameters: tuple[Parameter, ...]
    body: Schema | None
    body_required: bool

    @property
    def title(self) -> str:
        """As `not_built.txt` writes it."""
        return f"{self.method} {self.path}"

    @property
    def takes_body(self) -> bool:
        """Whether a body is looked at, be it only to be refused (ruling D19)."""
        return self.method in {"POST", "PATCH"}

    @property
    def reads(self) -> bool:
        """Whether it only looks: it waits until what it looks at is where the client wants it."""
        return self._takes("X-At-Least-Position")

    @property
    def remembers(self) -> bool:
        """Whether a retry with the same key is answered what the first call was answered."""
        return self._takes("Idempotency-Key")

    @property
    def changes(self) -> bool:
        """Whether it may record something."""
        return self.remembers or self.method in {"PATCH", "DELETE"}

    def _takes(self, header: str) -> bool:
        return any((each.name, each.where) == (header, "header") for each in self.parameters)

    @property
    def query(self) -> tuple[Parameter, ...]:
        return tuple(each for each in self.parameters if each.where == "query")


@cache
def documents() -> tuple[Schema, Schema]:
    """The contract and the app's document."""
    return json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8")), openapi_document()


@cache
def operations() -> tuple[Operation, ...]:
    """Those under a version; `/healthz` and its like keep no contract."""
    contract, app = documents()
    found = []
    for path, methods in app["paths"].items():
        for method, told in methods.items():
            if path.startswith("/v"):
                known = contract["paths"].get(path, {}).get(method, {})
                found.append(_operation(f"{method.upper()} {path}", known, told))
    return tuple(found)


def _operation(title: str, known: Schema, told: Schema) -> Operation:
    contract, app = documents()
    method, path = title.split(" ")
    ours = {(each["name"], each["in"]): each for each in told.get("parameters", [])}
    theirs = {(each["name"], each["in"]): each for each in known.get("parameters", []) if each["in"] == "query"}
    parameters = tuple(
        Parameter(
            name,
            where,
            any(described.get("required", False) for described in both),
            merged(*(whole(document, each["schema"]) for document, each in zip((contract, app), both, strict=True))),
        )
        for name, where in {**theirs, **ours}
        for both in [(theirs.get((name, where), {"schema": {}}), ours.get((name, where), {"schema": {}}))]
    )
    body = merged(_body(contract, known), _body(app, told))
    required = bool(told.get("requestBody", {}).get("required"))
    return Operation(method, path, told["tags"][0], parameters, body or None, required)


def _body(document: Schema, operation: Schema) -> Schema:
    content = operation.get("requestBody", {}).get("content", {})
    return whole(document, content.get("application/json", {}).get("schema", {}))


def whole(document: Schema, schema: Schema) -> Schema:
    """The schema with what it refers to in place, alternatives folded into one, null as a mark of its own."""
    if "$ref" in schema:
        return whole(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    choices: list[Schema] = schema.get("oneOf") or schema.get("anyOf") or []
    alternatives = [whole(document, each) for each in choices]
    if alternatives:
        return _folded(alternatives)
    found: Schema = {
        name: schema[name] for name in (*LIMITS, "type", "required", "additionalProperties") if name in schema
    }
    kinds: Any = found.get("type")
    if isinstance(kinds, list):
        found |= {"type": next(kind for kind in kinds if kind != "null"), "nullable": "null" in kinds}
    if "properties" in schema:
        found["properties"] = {name: whole(document, each) for name, each in schema["properties"].items()}
    if "items" in schema:
        found["items"] = whole(document, schema["items"])
    return found


def _folded(alternatives: list[Schema]) -> Schema:
    """One schema for several: required is what all require."""
    found: Schema = {}
    for each in alternatives:
        if each.get("type") == "null":
            found["nullable"] = True
        else:
            own: list[str] = each.get("required", [])
            required = set(own) & set(found.get("required", own))
            found = {**merged(found, each), "required": sorted(required)}
    return found


def merged(contract: Schema, app: Schema) -> Schema:
    """Every member, limit and demand of either. The app may know more values of an enum than the contract."""
    found = {**contract, **app}
    for name in {"properties"} & found.keys():
        ours, theirs = app.get(name, {}), contract.get(name, {})
        found[name] = {each: merged(theirs.get(each, {}), ours.get(each, {})) for each in {**theirs, **ours}}
    if "items" in found:
        found["items"] = merged(contract.get("items", {}), app.get("items", {}))
    if "required" in contract or "required" in app:
        found["required"] = sorted({*contract.get("required", ()), *app.get("required", ())})
    if contract.get("nullable") or app.get("nullable"):
        found["nullable"] = True
    return found
