"""An unexpected error is answered with an id only, an outage of the database with 503; the log names the place only."""

import json
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import PoolTimeout
from starlette.responses import Response

from api.edge.envelope import answer
from api.edge.errors import STATUS, refusal, status_of
from api.edge.route import answers, contract_router
from domain.core import errors
from domain.core.errors import Conflict, DomainError, Forbidden, InvalidState, TooMany, Unavailable
from tests.support.edge import an_edge
from tests.support.world.product import a_world

router = contract_router("failures")
SECRET = "hunter2"


@router.get("/v1/failures/", **answers(None))
async def failure() -> Response:
    raise RuntimeError(SECRET) from ValueError(SECRET)


@router.get("/v1/outages/", **answers(None))
async def outage() -> Response:
    raise psycopg.OperationalError(SECRET)


@router.get("/v1/full-pools/", **answers(None))
async def full_pool() -> Response:
    raise PoolTimeout(SECRET)


@router.get("/v1/several/", **answers(None))
async def several() -> Response:
    first, second = Forbidden(pointer="/a"), Conflict(pointer="/b", meta={"ids": [uuid4()]})
    first.others = (second,)
    raise first


@router.get("/v1/fine/", **answers(None))
async def fine() -> Response:
    return answer("fine")


async def test_an_unexpected_error_answers_only_an_id(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with an_edge(database_url, router) as edge:
        response = await edge.client.get("/v1/failures/", headers={"X-Request-ID": "mine"})
        assert response.status_code == 500
        assert response.headers["X-Request-ID"] == "mine"
        (error,) = response.json()["errors"]
        reference = UUID(error["meta"].pop("id"))
        assert error == {
            "code": "internal-error",
            "detail": "The service failed to answer this request.",
            "meta": {},
            "source": {},
            "status": 500,
        }
        logged = capsys.readouterr().out
        assert SECRET not in response.text + logged
        assert str(reference) in logged
        assert "test_errors.py" in logged


@pytest.mark.parametrize("path", ["outages", "full-pools"])
async def test_without_a_database_it_asks_to_try_again(database_url: str, path: str) -> None:
    async with an_edge(database_url, router) as edge:
        response = await edge.client.get(f"/v1/{path}/")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        assert response.json()["errors"][0]["code"] == "unavailable"
        assert SECRET not in response.text


async def test_several_refusals_are_several_objects_under_the_first_status(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        response = await edge.client.get("/v1/several/")
        assert response.status_code == 403
        assert [(error["code"], error["source"]) for error in response.json()["errors"]] == [
            ("forbidden", {"pointer": "/a"}),
            ("conflict", {"pointer": "/b"}),
        ]


@pytest.mark.parametrize("sent", ["a" * 128, "!~"])
async def test_a_request_id_comes_back(database_url: str, sent: str) -> None:
    async with an_edge(database_url, router) as edge:
        assert (await edge.client.get("/v1/fine/", headers={"X-Request-ID": sent})).headers["X-Request-ID"] == sent
        assert (await edge.client.get("/v1/none/", headers={"X-Request-ID": sent})).headers["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", "a" * 129, "a b", "ä".encode("latin-1")])
async def test_another_request_id_is_made_when_it_cannot_be_used(database_url: str, sent: Any) -> None:
    async with an_edge(database_url, router) as edge:
        response = await edge.client.get("/v1/fine/", headers={"X-Request-ID": sent})
        assert response.status_code == 200
        assert UUID(response.headers["X-Request-ID"])


def test_the_status_is_that_of_the_nearest_kind() -> None:
    assert status_of(InvalidState()) == 409
    assert status_of(errors.TokenExpired()) == 401
    assert {status_of(kind()) for kind in STATUS if issubclass(kind, TooMany | Unavailable)} == {429, 503}


def test_every_kind_of_refusal_has_a_status() -> None:
    def below(kind: type[DomainError]) -> list[type[DomainError]]:
        return [each for sub in kind.__subclasses__() for each in (sub, *below(sub))]

    assert {kind.__name__ for kind in below(DomainError) if not any(each in STATUS for each in kind.__mro__)} == set()


def test_a_throttled_answer_has_retry_after() -> None:
    assert refusal(TooMany(30)).headers["Retry-After"] == "30"
    assert refusal(Unavailable(0)).headers["Retry-After"] == "1"
    assert json.loads(bytes(refusal(TooMany(30)).body))["errors"][0]["status"] == 429


async def test_a_damaged_log_is_an_error_of_ours_and_no_conflict(database_url: str) -> None:
    async with a_world(database_url) as world:
        await world.organization()
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner:
            await owner.execute("UPDATE log_head SET position = 0 WHERE log = 'identity'")
        body = {"data": {"type": "organizations", "attributes": {"name": "clinic"}}}
        answer = await world.client.post("/v1/organizations/", json=body, headers=world.system.bearer)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (500, "internal-error")
