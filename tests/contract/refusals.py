"""Invalid requests of each operation, made from its description, each with the refusal that it must get.

A request of this module has one fault, that of its case. It needs no rights: all of these faults are reported before
permissions are checked (ruling A10).
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from tests.contract.described import Operation, Schema
from tests.contract.values import SOME_ID, bad_arguments, bad_members, sample

JSON_API = "application/vnd.api+json"
OTHER_ID = "00000000-1111-4222-8333-444444444444"
UNKNOWN = "no-such-name"
LONGEST_URL = 60_000  # what servers and clients take of one; a longer list of ids cannot be sent
LARGEST_BODY = 8 * 1024 * 1024
SMALL_BODY = 16 * 1024
PUBLIC_BODY = 128 * 1024  # enrollment data alone may have 64 KiB (ruling K87)
TAKE_PUBLIC_BODIES = {"POST /v1/sign-up/", "POST /v1/anonymous-accesses/{id}/proxy/"}
TAKE_SMALL_BODIES = {
    "POST /v1/login/", "POST /v1/refresh-token/", "POST /v1/internal-auth/", "POST /v2/internal-auth/",
    "POST /v1/confirm-sign-up/", "POST /v1/confirm-forgot-password/", "POST /v1/forgot-password/",
    "POST /v1/resend-confirmation/",
    "POST /v1/onboarding-info/", "POST /v1/password-strength/", "POST /v1/resend-invitation/",
}  # fmt: skip
"""Of those that are built, what ruling O15 names."""
DEEPEST = 32
ACTION = "/{id}/"

Source = dict[str, str]
Expected = list[tuple[str, Source]]


@dataclass(frozen=True)
class Request:
    """`body` is JSON, `content` what is sent instead of it."""

    operation: Operation
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def sent(self) -> dict[str, Any]:
        """Arguments of a client's `request`."""
        headers = {"Content-Type": "application/json", **self.headers}
        content = json.dumps(self.body).encode() if self.content is None and self.body is not None else self.content
        if content is None:
            headers = dict(self.headers)
        return {
            "method": self.operation.method, "url": self.path, "params": list(self.query), "content": content,
            "headers": {name: value for name, value in headers.items() if value},
        }  # fmt: skip


@dataclass(frozen=True)
class Case:
    what: str
    request: Request
    status: int
    errors: Expected


def base(operation: Operation) -> Request:
    """What must be there and nothing else. Rules between members are not described: see `completed`."""
    query = tuple(
        (each.name, str(_argument(each.schema, each.name))) for each in operation.query if each.required
    )  # fmt: skip
    body = sample(operation.body) if operation.body else None
    if operation.method == "PATCH" and body:
        body["data"]["id"] = SOME_ID
    return Request(operation, operation.path.replace("{id}", SOME_ID), query, body)


def completed(request: Request, errors: list[dict[str, Any]]) -> Request:
    """The request with what the service says is missing."""
    body, query = copy.deepcopy(request.body), request.query
    for error in errors:
        if "pointer" in error["source"]:
            assert error["code"] == "missing-attribute", error
            path = error["source"]["pointer"].split("/")[1:]
            _at(body, path[:-1])[path[-1]] = sample(_described(request.operation.body or {}, path), path[-1])
        else:
            name = error["source"]["parameter"]
            (parameter,) = (each for each in request.operation.query if each.name == name)
            query = (*query, (name, str(_argument(parameter.schema, name))))
    return replace(request, body=body, query=query)


def _argument(schema: Schema, name: str) -> str:
    found = sample(schema, name)
    found = found[0] if isinstance(found, list) else found
    return str(found).lower() if isinstance(found, bool) else str(found)


def _at(body: Any, path: list[str]) -> Any:
    for step in path:
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body


def _described(schema: Schema, path: list[str]) -> Schema:
    for step in path:
        schema = schema["items"] if schema.get("type") == "array" else schema["properties"][step]
    return schema


def _pointer(path: list[str]) -> str:
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path)


# --------------------------------------------------------------------------------------- query and path


def of_parameters(request: Request) -> Iterator[Case]:
    """Unknown parameters, bad values, too many of them; path ids that are no uuids."""
    for each in request.operation.query:
        items = each.schema.get("items")
        for what, text in bad_arguments(items or each.schema, each.name):
            yield _bad_query(f"{each.name}: {what} {text!r:.60}", request, each.name, [text])
        good = _argument(each.schema, each.name)
        if items is None:
            yield _bad_query(f"{each.name}: given twice", request, each.name, [good, good])
        elif (most := each.schema.get("maxItems")) and most * len(quote(f"{each.name}={good}&")) < LONGEST_URL:
            yield _bad_query(f"{each.name}: too many", request, each.name, [good] * (most + 1))
    yield _bad_query("an unknown parameter", request, UNKNOWN, ["1"])
    if not any(each.name == "page[limit]" for each in request.operation.query):
        yield _bad_query("a page of what has none", request, "page[limit]", ["10"])
    for each in request.operation.parameters:
        if each.where == "path" and each.schema.get("format") == "uuid":
            for text in ("x", SOME_ID.replace("-", ""), f"{SOME_ID}0", "%00", "%2e%2e"):
                path = request.operation.path.replace(f"{{{each.name}}}", text)
                broken = replace(request, path=path)
                yield Case(f"path {text}", broken, 400, [("invalid-parameter", {"parameter": each.name})])


def _bad_query(what: str, request: Request, name: str, texts: list[str]) -> Case:
    query = tuple(pair for pair in request.query if pair[0] != name) + tuple((name, text) for text in texts)
    return Case(what, replace(request, query=query), 400, [("invalid-parameter", {"parameter": name})])


def everything_wrong_in_the_query(request: Request) -> Case:
    """One error for each."""
    wrong = [(each.name, next(iter(bad_arguments(each.schema.get("items") or each.schema, each.name)))[1])
             for each in request.operation.query]  # fmt: skip
    query = (*wrong, (UNKNOWN, "1"), (f"{UNKNOWN}-2", "1"))
    expected: Expected = [("invalid-parameter", {"parameter": name}) for name, _ in query]
    return Case("everything in the query", replace(request, query=query), 400, expected)


# --------------------------------------------------------------------------------------- members of the body


def in_envelope(schema: Schema) -> bool:
    """Whether the body is a document of a resource; `data` alone makes no document."""
    return "type" in schema.get("properties", {}).get("data", {}).get("properties", {})


def of_members(request: Request) -> Iterator[Case]:
    """Every member of the body, at every depth, with every invalid value; unknown members."""
    schema = request.operation.body or {"type": "object", "properties": {}}
    yield from _of_object(request, schema, [])
    if in_envelope(schema):
        yield from _of_identity(request)


def _of_object(request: Request, schema: Schema, path: list[str]) -> Iterator[Case]:
    if schema.get("additionalProperties", False) is False and "properties" in schema:
        yield _with(request, "unknown member", [*path, UNKNOWN], 1)
    for name, member in schema.get("properties", {}).items():
        yield from _of_member(request, member, [*path, name], required=name in schema.get("required", ()))


def _of_member(request: Request, schema: Schema, path: list[str], *, required: bool) -> Iterator[Case]:
    known = {**schema, "format": None} if path == ["data", "id"] else schema  # any other text is a conflict, see below
    for what, value in bad_members(known, path[-1]):
        yield _with(request, what, path, value)
    if required:
        yield _without(request, path)
    if "items" in schema:
        for what, value in bad_members(schema["items"], path[-1]):
            yield _with(request, f"item: {what}", [*path, "0"], value)
        yield from _of_object(request, schema["items"], [*path, "0"])
    yield from _of_object(request, schema, path)


def _with(request: Request, what: str, path: list[str], value: Any) -> Case:
    body, around = _made(request, path)
    around[int(path[-1]) if isinstance(around, list) else path[-1]] = value
    return Case(f"{_pointer(path)}: {what} {value!r:.60}", replace(request, body=body), 400, [_invalid(path, value)])


def _made(request: Request, path: list[str]) -> tuple[Any, Any]:
    """A copy of the body in which everything around the member is there, and what is right around it."""
    body: Any = {} if request.body is None else copy.deepcopy(request.body)
    around, schema = body, request.operation.body or {}
    for step in path[:-1]:
        if isinstance(around, list):
            around, schema = around[int(step)], schema["items"]
        else:
            schema = schema["properties"][step]
            around = around.setdefault(step, sample(schema, step))
    return body, around


def _invalid(path: list[str], value: Any) -> tuple[str, Source]:
    unstorable = isinstance(value, str) and ("\0" in value or "\ud800" in value)
    a_query = path[-2:-1] == ["access-query"] and not unstorable
    place = [*path, *value] if isinstance(value, dict) else path  # what is wrong with an object stands in it
    return "invalid-access-query" if a_query else "invalid-attribute", {"pointer": _pointer(place)}


def _without(request: Request, path: list[str]) -> Case:
    body, around = _made(request, path)
    del around[path[-1]]
    expected: Expected = [("missing-attribute", {"pointer": _pointer(path)})]
    return Case(f"{_pointer(path)}: missing", replace(request, body=body), 400, expected)


def _of_identity(request: Request) -> Iterator[Case]:
    """Type conflict, id conflict, an id where the server chooses it."""
    yield _refused(request, "another type", "type", "no-such-type", (409, "type-conflict"))
    if request.operation.method == "PATCH" or ACTION in request.operation.path:
        for other in (OTHER_ID, "x", ""):
            yield _refused(request, "another id", "id", other, (409, "id-conflict"))
    else:
        yield _refused(request, "an id of the client's", "id", OTHER_ID, (403, "client-id-not-allowed"))


def _refused(request: Request, what: str, name: str, value: str, refusal: tuple[int, str]) -> Case:
    body = copy.deepcopy(request.body)
    body["data"][name] = value
    status, code = refusal
    return Case(what, replace(request, body=body), status, [(code, {"pointer": f"/data/{name}"})])


def everything_wrong_in_the_body(request: Request) -> Case:
    """One error for each."""
    path: list[str] = []
    schema, body = request.operation.body or {}, copy.deepcopy(request.body or {})
    if in_envelope(schema):
        schema, path = schema["properties"]["data"]["properties"]["attributes"], ["data", "attributes"]
    wrong = {name: next(iter(bad_members(member, name)))[1] for name, member in schema.get("properties", {}).items()}
    _at(body, path).update({**wrong, UNKNOWN: 1, f"{UNKNOWN}-2": 1})
    expected = [_invalid([*path, name], 1) for name in (*wrong, UNKNOWN, f"{UNKNOWN}-2")]
    return Case("everything in the body", replace(request, body=body), 400, expected)


# --------------------------------------------------------------------------------------- the body as a whole


def of_whole_bodies(request: Request) -> Iterator[Case]:
    """What is no JSON, no object, too deep or ambiguous."""
    good = json.dumps({} if request.body is None else request.body)
    member = '"no-such-name": 1'
    contents: dict[str, bytes] = {
        "half an object": b"{", "text behind it": f"{good}x".encode(), "no UTF-8": b'{"\xff": 1}', "only blanks": b"  ",
        "an array": b"[]", "null": b"null", "a text": b'"x"', "a number": b"1", "a comma too many": b'{"a": 1,}',
        "a member twice": f"{{{member}, {member}}}".encode(), "a comment": f"{good}//".encode(),
        "twice, deep": _inside(good, f'"x": {{{member}, {member}}}'), "NaN": _inside(good, '"x": NaN'),
        "infinity": _inside(good, '"x": -Infinity'), "almost infinity": _inside(good, '"x": 1e999'),
        "too deep": _inside(good, f'"x": {"[" * 32}{"]" * 32}'),
        "far too deep": b'{"x":' * 100_000, "a BOM": b"\xef\xbb\xbf" + good.encode(),
    }  # fmt: skip
    if request.operation.body_required:
        contents["nothing"] = b""
    for what, content in contents.items():
        expected: Expected = [("invalid-attribute", {"pointer": ""})]
        yield Case(what, replace(request, content=content), 400, expected)


def _inside(good: str, member: str) -> bytes:
    return f"{{{member}{',' if good != '{}' else ''}{good[1:]}".encode()


def largest_body(operation: Operation) -> int:
    """How many bytes the operation takes."""
    if operation.title in TAKE_PUBLIC_BODIES:
        return PUBLIC_BODY
    return SMALL_BODY if operation.title in TAKE_SMALL_BODIES else LARGEST_BODY


def too_large(request: Request) -> Case:
    """A body of one byte more than is taken."""
    content = b"{" + b" " * (largest_body(request.operation) - 1) + b"}"
    return refused_as_too_large(Case("a byte too many", replace(request, content=content), 400, []))


def refused_as_too_large(case: Case) -> Case:
    """The case as it must be answered: before what is in a body its size is looked at."""
    if len(case.request.sent()["content"] or b"") <= largest_body(case.request.operation):
        return case
    return replace(case, status=413, errors=[("payload-too-large", {})])
