"""Bodies that would cost more than they are worth (docs/decisions/0024-limits-of-requests.md)."""

import pytest
from starlette.responses import Response

from api.documents.common import Strict
from api.edge.bodies import MAX_VALUES
from api.edge.envelope import answer
from api.edge.errors import MAX_VIOLATIONS
from api.edge.route import answers, contract_router
from tests.support.edge import an_edge

router = contract_router("things")


class Thing(Strict):
    values: tuple[int, ...] = ()


@router.post("/v1/things/", **answers(None, 201))
async def create_thing(body: Thing) -> Response:
    return answer(len(body.values), 201)


@pytest.mark.parametrize("value", [b"1", b"[]", b"{}"])
async def test_a_body_of_very_many_values_is_not_even_parsed(database_url: str, value: bytes) -> None:
    async with an_edge(database_url, router) as edge:
        body = b'{"values":[' + b",".join([value] * MAX_VALUES) + b"]}"
        response = await edge.client.post("/v1/things/", content=body, headers={"Content-Type": "application/json"})
        (error,) = response.json()["errors"]
        assert (response.status_code, error["code"], error["source"]) == (400, "invalid-attribute", {"pointer": ""})
        assert str(MAX_VALUES) in error["detail"]


async def test_a_body_with_the_largest_rosters_is_accepted(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        response = await edge.client.post("/v1/things/", json={"values": [1] * 30_000})
        assert (response.status_code, response.json()) == (201, 30_000)


async def test_only_the_first_of_very_many_violations_are_reported(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        unknown = {f"unknown-{number}": 1 for number in range(MAX_VIOLATIONS + 1)}
        response = await edge.client.post("/v1/things/", json=unknown)
        assert response.status_code == 400
        assert len(response.json()["errors"]) == MAX_VIOLATIONS
