"""What a route refuses of callers, paths and headers."""

from uuid import uuid4

import pytest

from domain.core.audited import AUDIT_CONTEXT
from tests.api.edge.test_route import errors, router
from tests.support.edge import an_edge


async def test_tokens_are_refused_for_three_reasons(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:

        async def refusal(headers: dict[str, str]) -> tuple[str, str]:
            response = await edge.client.get("/v1/actors/", headers=headers)
            assert response.status_code == 401
            return response.json()["errors"][0]["code"], response.headers["WWW-Authenticate"]

        assert await refusal({}) == ("not-authenticated", "Bearer")
        for odd in ("", "Bearer", "Bearer ", "Basic abc", "Bearer abc", f"Bearer {uuid4()}"):
            assert await refusal({"Authorization": odd}) == ("not-authenticated", "Bearer")
        assert await refusal(edge.person(expired=True).bearer) == ("token-expired", "Bearer")
        assert await refusal(edge.person(revoked=True).bearer) == ("session-revoked", "Bearer")
        bearer = edge.person().bearer["Authorization"]
        for accepted in (bearer, bearer.replace("Bearer", "bearer"), bearer.replace("Bearer", "BEARER")):
            answer = await edge.client.get("/v1/actors/", headers={"Authorization": accepted})
            assert answer.status_code == 200


async def test_events_of_a_request_name_its_caller(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        person = edge.person()
        response = await edge.client.get("/v1/actors/", headers={**person.bearer, "X-Request-ID": "r-1"})
        assert response.json() == {
            "actor": str(person.user_id),
            "session": str(person.session_id),
            "correlation": "r-1",
        }
        assert AUDIT_CONTEXT.get().actor is None


async def test_operations_for_some_refuse_the_others(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        people = {"nobody": edge.person(), "staff": edge.person(staff=True), "system": edge.person(system=True)}
        people["service"] = edge.person(service=True)
        paths = {"services": {"service"}, "systems": {"system"}, "staff": {"staff", "system", "service"}}
        paths["system-or-services"] = {"system", "service"}
        for path, allowed in paths.items():
            for name, person in people.items():
                response = await edge.client.get(f"/v1/{path}/", headers=person.bearer)
                assert response.status_code == (200 if name in allowed else 403), (path, name)


async def test_paths_are_exact_and_methods_listed(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        thing_id = uuid4()
        for path in (
            "/v1/things",
            "/v1/things//",
            f"/v1/things/{thing_id}",
            "/",
            "/v1/",
            f"/v1/things/{thing_id}/x/y/",
        ):
            response = await edge.client.get(path)
            assert (response.status_code, errors(response)) == (404, [("not-found", {})])
        for method, path, allowed in [
            ("PUT", "/v1/things/", "GET, POST"),
            ("HEAD", "/v1/things/", "GET, POST"),
            ("OPTIONS", f"/v1/things/{thing_id}/", "DELETE, GET, PATCH"),
        ]:
            response = await edge.client.request(method, path)
            assert (response.status_code, response.headers["Allow"]) == (405, allowed)
            assert response.headers["Content-Type"] == "application/vnd.api+json"


ACCEPTED = (
    "*/*", "application/*", "application/json", "application/vnd.api+json", "text/html, application/json;q=0.1",
    'application/vnd.api+json; profile="x"', "application/json;q=0, */*;q=0.5",
)  # fmt: skip
NOT_ACCEPTED = (
    "text/html", "*/*;q=0", "application/json;q=0", "application/*;q=0, */*", "application/vnd.api+json; version=2",
)  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "status"), [*((each, 201) for each in ACCEPTED), *((each, 406) for each in NOT_ACCEPTED)]
)
async def test_accept_is_respected(database_url: str, accept: str, status: int) -> None:
    async with an_edge(database_url, router) as edge:
        response = await edge.client.post(f"/v1/things/{uuid4()}/poke/", headers={"Accept": accept})
        assert response.status_code == status
        assert response.headers["Content-Type"] == "application/vnd.api+json"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("Application/JSON; charset=UTF-8", 201),
        ('application/json; charset="utf-8"', 201),
        ("application/vnd.api+json", 201),
        ("application/vnd.api+json; ext=a; profile=b", 201),
        ("application/vnd.api+json; charset=utf-8", 415),
        ("application/json; charset=latin-1", 415),
        ("application/json; version=1", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/json", 415),
        ("", 415),
    ],
)
async def test_content_types(database_url: str, content_type: str, status: int) -> None:
    async with an_edge(database_url, router) as edge:
        headers = {"Content-Type": content_type}
        response = await edge.client.post(f"/v1/things/{uuid4()}/poke/", headers=headers, content=b"{}")
        assert response.status_code == status


async def test_answers_carry_the_position_of_a_command(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        person, thing_id = edge.person(), uuid4()
        response = await edge.client.post(f"/v1/things/{thing_id}/poke/")
        assert (response.content, response.headers["X-Position"]) == (b"null", "3")
        edge.grants.allow(person.user_id, thing_id, "read", "write")
        response = await edge.client.delete(f"/v1/things/{thing_id}/", headers=person.bearer)
        assert (response.status_code, response.content, response.headers["X-Position"]) == (204, b"", "7")


async def test_the_document_describes_the_parameters_of_an_operation(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        document = edge.app.openapi()
        poke, change = (
            document["paths"]["/v1/things/{id}/poke/"]["post"],
            document["paths"]["/v1/things/{id}/"]["patch"],
        )
        assert (poke["x-extension"], poke["security"], change["security"]) == (True, [], [{"bearer": []}])
        assert list(change["requestBody"]["content"]) == ["application/json"]
        assert list(change["responses"]["4XX"]["content"]) == ["application/vnd.api+json"]
        assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
        assert change["parameters"][0] == {
            "name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid", "title": "Id"},
        }  # fmt: skip
