"""Real answers keep the contract: every attribute is there, in its form, with the positions that go with it.

The requests are those of `tests/api/edge/permission_matrix.yaml`, each sent by a principal who may.
"""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.api.edge.permission_matrix import Row, families
from tests.contract.described import Operation, Schema, documents, merged, operations, whole
from tests.support.world.named import Ward, a_ward
from tests.support.world.product import UNLIMITED

pytestmark = pytest.mark.slow

MEDIA_TYPE = "application/vnd.api+json"
ASKING = ("LEAD", "OADM", "SYS", "SVC", "PROV", "PAT")
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "object": (dict,),
    "array": (list,),
}  # fmt: skip
A_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
A_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
A_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIMES = re.compile(r"(-time|-at|date-created|date-last-modified)$")
WITHOUT_POSITION = {
    "POST /v1/login/", "POST /v1/refresh-token/", "POST /v1/internal-auth/", "POST /v2/internal-auth/",
    "POST /v1/password-strength/", "POST /v1/anonymous-accesses/{id}/proxy/", "POST /v1/synthetic-user-tokens/",
    "POST /v1/resend-invitation/", "POST /v1/resend-confirmation/", "POST /v1/forgot-password/",
}  # fmt: skip
"""They belong to the log of sessions (ruling B3), depend on no log at all, or tell nothing of what they did (K9)."""
PAGE = {"page[limit]", "page[offset]", "page[total]"}
ELSEWHERE = {"redirect-url"}
"""The other answer of login, for organizations with single sign-on."""


def answer_schema(operation: Operation) -> Schema:
    """What the contract and the app's document say of the answer; of extensions the app's document alone."""
    both = []
    for document in documents():
        described = document["paths"].get(operation.path, {}).get(operation.method.lower(), {"responses": {}})
        content: Schema = next(
            (told.get("content", {}) for code, told in described["responses"].items() if code[0] == "2"), {}
        )
        both.append(whole(document, content.get(MEDIA_TYPE, {}).get("schema", {})))
    return merged(*both)


def problems(schema: Schema, value: Any, pointer: str = "") -> Iterator[str]:
    """Where the value is not what the schema describes. Null stands for any value that there is not (ruling D18)."""
    if value is None or schema.get("type") == "null":
        if value is not None or (pointer in {"", "/data", "/meta"} and schema.get("type") != "null"):
            yield f"{pointer}: {value!r} is no {schema.get('type')}"
        return
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (kind != "boolean" and isinstance(value, bool))):
        yield f"{pointer}: {value!r} is no {kind}"
    elif isinstance(value, dict):
        yield from _problems_of_members(schema, value, pointer)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from problems(schema.get("items", {}), item, f"{pointer}/{place}")
    else:
        yield from _problems_of_form(schema, value, pointer)


def _problems_of_members(schema: Schema, value: dict[str, Any], pointer: str) -> Iterator[str]:
    members = schema.get("properties", {})
    for name in members.keys() - value.keys() - ELSEWHERE - {"position"}:
        yield f"{pointer}/{name}: is not there"
    for name in value.keys() - members.keys():
        if members:
            yield f"{pointer}/{name}: is not described"
    for name in members.keys() & value.keys():
        yield from problems(members[name], value[name], f"{pointer}/{name}")


def _problems_of_form(schema: Schema, value: Any, pointer: str) -> Iterator[str]:
    form = schema.get("format")
    patterns = {"uuid": A_UUID, "date": A_DATE, "date-time": A_TIME, "datetime": A_TIME}
    expected = A_TIME if TIMES.search(pointer) and isinstance(value, str) else patterns.get(form or "")
    if expected and not expected.fullmatch(value):
        yield f"{pointer}: {value!r} is not in the form of {form or 'a time'}"
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield f"{pointer}: {value!r} is not one of {schema.get('enum', schema.get('const'))}"


def problems_of_position(operation: Operation, answer: httpx2.Response) -> Iterator[str]:
    """Rulings B1 to B3, B6."""
    position = answer.headers.get("x-position")
    if operation.title in WITHOUT_POSITION:
        if position is not None:
            yield "carries a position"
        return
    if position is None or not position.isdecimal():
        yield f"X-Position {position}"
        return
    document = answer.json() if answer.content else None
    if isinstance(document, dict) and "meta" in document and document["meta"].get("position") != int(position):
        yield f"meta.position {document['meta']}, X-Position {position}"


def rows_of(answer: httpx2.Response) -> list[Any] | None:
    """None when the answer is no list."""
    document = answer.json() if answer.content else None
    found = document.get("data", document.get("resource-ids")) if isinstance(document, dict) else None
    return found if isinstance(found, list) else None


def problems_of_list(answer: httpx2.Response) -> Iterator[str]:
    rows = rows_of(answer)
    if rows is not None:
        meta = answer.json().get("meta", {})
        if not meta.keys() >= PAGE or meta["page[total]"] < len(rows):
            yield f"meta {meta} of {len(rows)} rows"


async def judged(ward: Ward, row: Row) -> tuple[httpx2.Response, list[str]]:
    """Return the answer to a principal who may, and what is wrong with it."""
    name = next(each for each in ASKING if row.statuses[each] < 300)
    answer = await row.sent_by(ward, name)
    ward.forget()
    found = [*problems_of_position(row.operation, answer), *problems_of_list(answer)]
    if answer.status_code == 204:
        return answer, found + ["a body"] * bool(answer.content)
    if answer.headers["content-type"] != MEDIA_TYPE:
        found.append(answer.headers["content-type"])
    return answer, [*found, *problems(answer_schema(row.operation), answer.json())]


def test_differences_of_an_answer_from_the_contract_are_found() -> None:
    (detail,) = (each for each in operations() if each.title == "GET /v1/user-replications/")
    schema = answer_schema(detail)
    good = {"created-time": "2024-02-29 12:00:00", "service": "caredb", "user-id": str(uuid4())}
    meta = dict.fromkeys(PAGE, 1)

    def judged_row(**attributes: Any) -> list[str]:
        row = {"attributes": {**good, **attributes}, "id": str(uuid4()), "type": "user-replications"}
        return [each.split(":")[0] for each in problems(schema, {"data": [row], "meta": meta})]

    assert judged_row() == []
    assert judged_row(**{"created-time": "2024-02-29T12:00:00Z"}) == ["/data/0/attributes/created-time"]
    assert judged_row(**{"user-id": "x"}) == ["/data/0/attributes/user-id"]
    assert judged_row(service=1, more=1) == ["/data/0/attributes/more", "/data/0/attributes/service"]
    del good["service"]
    assert judged_row() == ["/data/0/attributes/service"]
    assert [each.split(":")[0] for each in problems(schema, {"data": None, "meta": meta})] == ["/data"]


@pytest.mark.parametrize("family", families())
async def test_every_answer_is_whole_and_in_the_form_of_the_contract(database_url: str, family: str) -> None:
    wrong: list[str] = []
    with_rows: dict[str, bool] = {}
    async with a_ward(database_url, **UNLIMITED) as ward:
        for row in families()[family]:
            if any(row.statuses[name] < 300 for name in ASKING):
                answer, found = await judged(ward, row)
                wrong += [f"{row.title}: {each}" for each in found]
                rows = rows_of(answer)
                if rows is not None:
                    with_rows[row.operation.title] = with_rows.get(row.operation.title, False) or bool(rows)
    assert not wrong, "\n".join(wrong)
    assert all(with_rows.values()), with_rows


async def test_every_answer_tells_the_id_of_its_request(database_url: str) -> None:
    async with a_ward(database_url, **UNLIMITED) as ward:
        for operation in operations():
            path = operation.path.replace("{id}", str(uuid4()))
            for bearer in ({}, ward.people["PAT"].bearer):
                sent = {**bearer, "X-Request-ID": f"request-{uuid4()}"}
                answer = await ward.world.client.request(operation.method, path, headers=sent)
                assert answer.headers["x-request-id"] == sent["X-Request-ID"], operation.title
                sent["X-Request-ID"] = "x" * 129
                answer = await ward.world.client.request(operation.method, path, headers=sent)
                assert answer.headers["x-request-id"] not in {"", sent["X-Request-ID"]}, operation.title
