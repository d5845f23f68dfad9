"""The order of refusals (ruling A10), one step at a time, and what each step refuses."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import uuid4

import pytest
from fastapi import Query
from starlette.responses import Response

from api.documents.common import EmptyBody
from api.documents.groups.groups import CreateGroup, GroupListQuery, UpdateGroup
from api.edge.caller import Authenticated
from api.edge.deps import PathId, PermissionsDep
from api.edge.envelope import answer, no_content
from api.edge.route import answers, contract_router
from domain.core.audited import AUDIT_CONTEXT
from domain.core.errors import Conflict
from domain.core.ports import AccessQuery
from domain.core.principal import Principal
from tests.support.edge import an_edge

router = contract_router("things")


@router.get("/v1/things/", **answers(None))
async def things(query: Annotated[GroupListQuery, Query()], principal: Authenticated) -> Response:
    return answer({"ids": [str(each) for each in query.ids], "caller": str(principal.user_id)})


@router.post("/v1/things/", **answers(None, 201))
async def create_thing(body: CreateGroup, principal: Authenticated) -> Response:
    return answer({"name": body.attributes.name}, 201)


@router.get("/v1/things/{id}/", **answers(None))
async def thing(thing_id: PathId, principal: Authenticated, permissions: PermissionsDep) -> Response:
    await permissions.require(principal, AccessQuery("group", thing_id, "read"))
    return answer(str(thing_id))


@router.patch("/v1/things/{id}/", **answers(None))
async def change_thing(
    thing_id: PathId,
    query: Annotated[GroupListQuery, Query()],
    body: UpdateGroup,
    principal: Authenticated,
    permissions: PermissionsDep,
) -> Response:
    await permissions.require(principal, AccessQuery("group", thing_id, "write"))
    raise Conflict


@router.delete("/v1/things/{id}/", **answers(None, 204))
async def delete_thing(thing_id: PathId, principal: Authenticated, permissions: PermissionsDep) -> Response:
    await permissions.require(principal, AccessQuery("group", thing_id, "write"))
    return no_content(position=7)


@router.post("/v1/things/{id}/poke/", **answers(None, 201, extension=True))
async def poke(thing_id: PathId) -> Response:
    return answer(None, 201, position=3)


@router.post("/v1/things/{id}/nudge/", **answers(None, 201))
async def nudge(thing_id: PathId, body: EmptyBody = EmptyBody()) -> Response:  # noqa: B008 - frozen
    return answer(body.given(), 201)


@router.get("/v1/actors/", **answers(None))
async def actors(principal: Authenticated) -> Response:
    by = AUDIT_CONTEXT.get()
    return answer({"actor": by.actor, "session": by.session, "correlation": by.correlation})


LIMITED: dict[str, Callable[[Principal], None]] = {
    "services": Principal.require_service,
    "systems": Principal.require_system_administrator,
    "system-or-services": Principal.require_unlimited,
    "staff": Principal.require_reads_all,
}
"""The operations that only some principals may call, and what those operations require."""


def add_limited(path: str, require: Callable[[Principal], None]) -> None:
    @router.get(f"/v1/{path}/", **answers(None))
    async def limited(principal: Authenticated) -> Response:
        require(principal)
        return answer(path)


for path, require in LIMITED.items():
    add_limited(path, require)


def an_update(thing_id: object, **other: Any) -> dict[str, Any]:
    return {"data": {"type": "individual-groups", "id": str(thing_id), "attributes": {"name": "n"}, **other}}


def errors(response: Any) -> list[tuple[str, dict[str, str]]]:
    return [(error["code"], error["source"]) for error in response.json()["errors"]]


async def test_each_refusal_comes_before_the_next(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        person, thing_id = edge.person(), uuid4()
        client, path = edge.client, f"/v1/things/{thing_id}/"
        wrong: dict[str, Any] = {"content": b"{", "headers": {"Accept": "text/html", "Content-Type": "text/plain"}}

        async def refused(where: str, **sent: Any) -> tuple[int, str]:
            response = await client.patch(where, **sent)
            return response.status_code, response.json()["errors"][0]["code"]

        assert await refused("/v1/nothing/x/?y=1", **wrong) == (404, "not-found")
        assert (await client.put(f"{path}?y=1", **wrong)).status_code == 405
        assert await refused("/v1/things/x/?y=1", **wrong) == (401, "not-authenticated")
        wrong["headers"] |= person.bearer
        assert await refused("/v1/things/x/?y=1", **wrong) == (406, "not-acceptable")
        wrong["headers"]["Accept"] = "*/*"
        assert await refused("/v1/things/x/?y=1", **wrong) == (415, "unsupported-media-type")
        wrong["headers"]["Content-Type"] = "application/json"
        large = {**wrong, "content": b"{" + b" " * 8 * 1024 * 1024}
        assert await refused("/v1/things/x/?y=1", **large) == (413, "payload-too-large")
        assert await refused("/v1/things/x/?y=1", **wrong) == (400, "invalid-parameter")
        assert await refused(f"{path}?y=1", **wrong) == (400, "invalid-parameter")
        assert await refused(path, **wrong) == (400, "invalid-attribute")
        sent = {"headers": person.bearer}
        assert await refused(path, **sent, json=an_update(uuid4(), type="x", more=1)) == (400, "invalid-attribute")
        assert await refused(path, **sent, json=an_update(uuid4(), type="x")) == (409, "type-conflict")
        assert await refused(path, **sent, json=an_update(uuid4())) == (409, "id-conflict")
        assert await refused(path, **sent, json=an_update(thing_id)) == (404, "not-found")
        edge.grants.allow(person.user_id, thing_id, "read")
        assert await refused(path, **sent, json=an_update(thing_id)) == (403, "forbidden")
        edge.grants.allow(person.user_id, thing_id, "write")
        assert await refused(path, **sent, json=an_update(thing_id)) == (409, "conflict")


async def test_one_error_for_each_violation(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        bearer = edge.person().bearer
        query = "?page[limit]=0&name=a&name=b&x=1&ids=1&type=regular&type=other&filter[include-inactive]=1"
        response = await edge.client.get(f"/v1/things/{query}", headers=bearer)
        assert response.status_code == 400
        assert {source["parameter"] for _, source in errors(response)} == {
            "page[limit]", "name", "x", "ids", "type", "filter[include-inactive]",
        }  # fmt: skip
        body = {"data": {"type": "individual-groups", "attributes": {"tags": [1, "a"], "other": 1}}, "a/b": 1}
        response = await edge.client.post("/v1/things/", headers=bearer, json=body)
        assert sorted(errors(response), key=str) == [
            ("invalid-attribute", {"pointer": "/a~1b"}),
            ("invalid-attribute", {"pointer": "/data/attributes/other"}),
            ("invalid-attribute", {"pointer": "/data/attributes/tags/0"}),
            ("missing-attribute", {"pointer": "/data/attributes/name"}),
            ("missing-attribute", {"pointer": "/data/attributes/organization-id"}),
        ]
        assert {error["status"] for error in response.json()["errors"]} == {400}


async def test_repeated_array_parameters_are_all_taken(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        ids = [str(uuid4()), str(uuid4())]
        response = await edge.client.get(f"/v1/things/?ids={ids[0]}&ids={ids[1]}", headers=edge.person().bearer)
        assert response.json()["ids"] == ids


async def test_an_id_that_is_no_uuid_is_named_id(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        for name in ("abc", uuid4().hex, f"{{{uuid4()}}}"):
            response = await edge.client.get(f"/v1/things/{name}/", headers=edge.person().bearer)
            assert (response.status_code, errors(response)) == (400, [("invalid-parameter", {"parameter": "id"})])


async def test_a_client_chooses_no_ids(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        attributes = {"name": "n", "organization-id": str(uuid4())}
        body = {"data": {"type": "individual-groups", "id": str(uuid4()), "attributes": attributes}}
        response = await edge.client.post("/v1/things/", headers=edge.person().bearer, json=body)
        assert (response.status_code, errors(response)) == (403, [("client-id-not-allowed", {"pointer": "/data/id"})])


@pytest.mark.parametrize("path", ["poke", "nudge"])
async def test_a_body_without_attributes_is_validated_too(database_url: str, path: str) -> None:
    async with an_edge(database_url, router) as edge:

        async def status(**sent: Any) -> int:
            return (await edge.client.post(f"/v1/things/{uuid4()}/{path}/", **sent)).status_code

        json = {"Content-Type": "application/json"}
        assert await status() == 201
        assert await status(headers={"Content-Type": "text/plain"}) == 201
        assert await status(json={}) == 201
        assert await status(json={"x": 1}) == 400
        assert await status(json=[]) == 400
        assert await status(content=b"null", headers=json) == 400
        assert await status(content=b"{", headers=json) == 400
        assert await status(content=b"{}", headers={"Content-Type": "text/plain"}) == 415
        assert await status(content=b"{}", headers={}) == 415


@pytest.mark.parametrize(
    ("body", "acceptable"),
    [
        (b'{"a":1,"a":1}', False),
        (b'{"a":NaN}', False),
        (b'{"a":-Infinity}', False),
        (b"[" * 100_000, False),
        (b'{"a":' * 100_000, False),
        (b"\xff{}", False),
        (b'"\xed\xa0\x80"', False),
        (b"", False),
        (b"[]", False),
        (b'"text"', False),
        (b"{} {}", False),
        (b'{"meta":' + b"[" * 31 + b"]" * 31 + b"}", True),
        (b'{"meta":' + b"[" * 32 + b"]" * 32 + b"}", False),
    ],
)
async def test_bodies_are_strict_json(database_url: str, body: bytes, acceptable: bool) -> None:
    async with an_edge(database_url, router) as edge:
        headers = {**edge.person().bearer, "Content-Type": "application/json"}
        response = await edge.client.post("/v1/things/", headers=headers, content=body)
        assert response.status_code == 400
        unreadable = errors(response) == [("invalid-attribute", {"pointer": ""})]
        assert unreadable is not acceptable


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"data":{"a":["x","\\u0000"]}}', "/data/a/1"),
        (b'{"data":{"a":"\\ud800"}}', "/data/a"),
        (b'{"data":{"\\udfff":1}}', "/data"),
    ],
)
async def test_text_that_cannot_be_stored_is_refused(database_url: str, body: bytes, pointer: str) -> None:
    async with an_edge(database_url, router) as edge:
        headers = {**edge.person().bearer, "Content-Type": "application/json"}
        response = await edge.client.post("/v1/things/", headers=headers, content=body)
        assert (response.status_code, errors(response)) == (400, [("invalid-attribute", {"pointer": pointer})])


async def test_a_body_that_comes_in_pieces_is_bounded_too(database_url: str) -> None:
    async def pieces() -> Any:
        for _ in range(9):
            yield b" " * 1024 * 1024

    async with an_edge(database_url, router) as edge:
        headers = {**edge.person().bearer, "Content-Type": "application/json"}
        response = await edge.client.post("/v1/things/", headers=headers, content=pieces())
        assert (response.status_code, errors(response)) == (413, [("payload-too-large", {})])
