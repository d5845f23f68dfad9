"""What every answer says of itself beside its document (ruling O16), and the reference that is served with it."""

import gc
import re
import tracemalloc
from datetime import UTC, datetime
from uuid import UUID, uuid4

import orjson
from starlette.responses import Response

from api import health
from api.documents.common import Attributes, Single
from api.documents.times import ContractDatetime
from api.edge.caller import Authenticated
from api.edge.docs import CONTENT_SECURITY_POLICY
from api.edge.envelope import answer, rendered
from api.edge.route import answers, contract_router
from api.sessions import sessions
from tests.support.edge import an_edge
from tests.support.loop_lag import LoopLag
from tests.support.world.product import a_world

router = contract_router("things")


@router.get("/v1/things/", **answers(None))
async def things(caller: Authenticated) -> Response:
    return answer("thing")


@router.post("/v1/things/", **answers(None, 201))
async def create_thing(caller: Authenticated) -> Response:
    raise ValueError


class Person(Attributes):
    id: UUID
    since: ContractDatetime
    first_name: str


class Crowd(Attributes):
    everybody: list[Person]
    ids: list[UUID]
    name: str


PEOPLE = [
    Person(id=UUID(int=number), since=datetime(2026, 1, 2, tzinfo=UTC), first_name="Ann") for number in range(100_000)
]


def a_crowd() -> Single[Crowd]:
    return Single[Crowd](data=Crowd(everybody=list(PEOPLE), ids=[each.id for each in PEOPLE], name="crowd"))


@router.get("/v1/crowds/", **answers(Single[Crowd]))
async def crowd(caller: Authenticated) -> Response:
    return answer(a_crowd(), position=7)


async def test_a_large_answer_is_whole_and_holds_up_no_other_request(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        async with LoopLag() as lag:
            found = await edge.client.get("/v1/crowds/", headers=edge.person().bearer)
        assert found.headers["X-Position"] == "7"
        assert found.json() == orjson.loads(rendered(a_crowd()))
        assert lag.seconds < 0.1


async def test_no_answer_with_anybodys_data_is_kept_in_a_cache(database_url: str) -> None:
    async with an_edge(database_url, health.router, router, metrics=True) as edge:
        bearer = edge.person().bearer
        found = [
            await edge.client.get("/v1/things/", headers=bearer),
            await edge.client.get("/v1/things/"),
            await edge.client.get("/v1/nothing/"),
            await edge.client.post("/v1/things/", headers=bearer),
            await edge.client.get("/readyz"),
            await edge.client.get("/metrics"),
            await edge.client.get("/docs"),
            await edge.client.get("/openapi.json"),
        ]
        assert [each.status_code for each in found] == [200, 401, 404, 500, 200, 200, 200, 200]
        for each in found:
            assert each.headers.get_list("Cache-Control") == ["no-store"], each.url
            assert each.headers.get_list("X-Content-Type-Options") == ["nosniff"], each.url
            assert "Strict-Transport-Security" not in each.headers
        for path in ("/healthz", "/docs/swagger-ui.css"):
            assert "no-store" not in (await edge.client.get(path)).headers.get("Cache-Control", "")


async def test_public_keys_may_be_kept_and_tokens_may_not(database_url: str) -> None:
    """Ruling K145."""
    async with a_world(database_url) as world:
        assert "no-store" not in (await world.client.get("/.well-known/jwks.json")).headers.get("Cache-Control", "")
        for path in ("/v1/login/", "/v1/refresh-token/", "/v1/internal-auth/", "/v2/internal-auth/"):
            refused = await world.client.post(path, json={})
            assert refused.headers.get_list("Cache-Control") == ["no-store"], path


async def test_hsts_is_sent_when_the_public_address_is_https(database_url: str) -> None:
    for url, told in [
        ("https://id.example", True),
        ("HTTPS://id.example/identity", True),
        ("http://id.example", False),
    ]:
        async with an_edge(database_url, health.router, router, public_url=url) as edge:
            for path in ("/v1/things/", "/healthz", "/docs"):
                headers = (await edge.client.get(path)).headers
                assert ("max-age=31536000" in headers.get("Strict-Transport-Security", "")) is told, (url, path)


async def test_the_reference_loads_nothing_from_elsewhere(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        page = await edge.client.get("/docs")
        assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert "unsafe" not in CONTENT_SECURITY_POLICY
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=|https?:", page.text)
        loaded = re.findall(r'(?:href|src)="([^"]+)"', page.text)
        assert len(loaded) == 4
        for address in loaded:
            assert address.startswith("./docs/")
            asset = await edge.client.get(page.url.join(address))
            assert asset.status_code == 200
            assert len(asset.content) > 50
            kind = {"js": "text/javascript", "css": "text/css", "png": "image/png"}[address.rpartition(".")[2]]
            assert asset.headers["Content-Type"].partition(";")[0] == kind
        assert '"./openapi.json"' in (await edge.client.get("/docs/start.js")).text
        for name in (f"{uuid4()}.js", "__init__.py", "..%2Fmain.py"):
            assert (await edge.client.get(f"/docs/{name}")).status_code == 404


async def test_the_reference_can_be_turned_off(database_url: str) -> None:
    async with an_edge(database_url, router, docs=False) as edge:
        for path in ("/docs", "/docs/start.js", "/docs/swagger-ui.css"):
            assert (await edge.client.get(path)).status_code == 404
        assert (await edge.client.get("/openapi.json")).status_code == 200


async def test_blanks_around_header_values_are_no_part_of_them(database_url: str) -> None:
    """RFC 9110, section 5.5."""
    async with an_edge(database_url, router, sessions.router) as edge:
        spaced = {name: f" \t{value}\t " for name, value in edge.person().bearer.items()}
        spaced |= {"Accept": "\tapplication/json ", "X-Request-ID": " abc\t", "X-At-Least-Position": " 0 "}
        found = await edge.client.get("/v1/things/", headers=spaced)
        assert (found.status_code, found.headers["X-Request-ID"]) == (200, "abc")


async def test_nothing_that_a_client_sends_stays_behind(database_url: str) -> None:
    """Ruling O15: not as the key of a cache either. A thousand values of a head's size would be many megabytes."""
    async with an_edge(database_url, router) as edge:
        person = edge.person()

        async def ask(number: int) -> None:
            long = f"{number}" * 10_000
            sent = {
                "Accept": f"*/*, text/{long}", "Content-Type": f"text/{long}", "X-Request-ID": str(number),
                "Idempotency-Key": str(number), "X-At-Least-Position": long, "Cookie": long,
            }  # fmt: skip
            await edge.client.get("/v1/things/", headers=person.bearer | sent, params={long[:1000]: long})
            await edge.client.post("/v1/things/", headers=person.bearer | sent, content=b"{}")
            await edge.client.get("/v1/things/", headers={"Authorization": f"Bearer {long}"})
            await edge.client.request(f"M{number}", f"/v1/{long}/{number}/")

        await ask(0)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for number in range(1, 250):
                await ask(number)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 2_000_000
