"""Is it alive, can it serve, what does it count (rulings J4 and J6)."""

import asyncio
import time
from typing import Any

import psycopg
import psycopg.conninfo
import pytest
from redis.asyncio import Redis
from starlette.responses import Response

from adapters.log import write_probe
from adapters.log.inline_fence import OutdatedProcess
from api import health
from api.edge.caller import Authenticated
from api.edge.deps import PathId
from api.edge.envelope import answer
from api.edge.route import answers, contract_router
from tests.support.edge import Edge, an_edge
from tests.support.world.product import a_world
from workers.running.bootstrap import bootstrap

router = contract_router("things")


@router.get("/v1/things/{id}/", **answers(None))
async def thing(thing_id: PathId, principal: Authenticated) -> Response:
    return answer("thing")


async def polled(owner: str, when: str) -> None:
    async with await psycopg.AsyncConnection.connect(owner, autocommit=True) as connection:
        await connection.execute(
            "INSERT INTO projections (name, id, classpath, mode, log, version, last_poll_at)"
            " VALUES ('things', gen_random_uuid(), '', 'background', 'identity', 1, now() + %s::interval)"
            " ON CONFLICT (name) DO UPDATE SET last_poll_at = EXCLUDED.last_poll_at",
            [when],
        )


async def ready(edge: Edge) -> tuple[int, Any]:
    response = await edge.client.get("/readyz", headers={"Accept": "text/plain"})
    return response.status_code, response.json()


async def test_it_is_ready_without_projectors_and_tells_that_they_are_away(database_url: str) -> None:
    async with an_edge(database_url, health.router, metrics=True) as edge:
        told = {"ready": True, "postgres": True, "migrated": True, "writable": True, "redis": "absent"}
        assert await ready(edge) == (200, told | {"projectors": False})
        assert "rollbook_projecting 0.0" in (await edge.client.get("/metrics")).text
        await polled(database_url, "-1 second")
        assert await ready(edge) == (200, told | {"projectors": True})
        assert "rollbook_projecting 1.0" in (await edge.client.get("/metrics")).text
        await polled(database_url, "-1 minute")
        assert await ready(edge) == (200, told | {"projectors": False})


@pytest.mark.parametrize("log", ["identity", "sessions"])
async def test_it_is_not_ready_while_a_log_is_locked(database_url: str, log: str) -> None:
    async with a_world(database_url) as world, await psycopg.AsyncConnection.connect(database_url) as holder:
        world.services.probe.min_interval = 0
        assert (await world.client.get("/readyz")).status_code == 200
        await holder.execute("SELECT FROM log_head WHERE log = %s FOR UPDATE", [log])
        began = time.monotonic()
        answers = await asyncio.gather(*(world.client.get("/readyz") for _ in range(2)))
        assert time.monotonic() - began < 5
        for answer in answers:
            assert (answer.status_code, answer.json()["postgres"], answer.json()["writable"]) == (503, True, False)
        await holder.rollback()
        assert (await world.client.get("/readyz")).status_code == 200


async def test_it_is_not_ready_on_a_database_that_is_read_only(
    database_url: str, administration: psycopg.Connection
) -> None:
    database = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    async with a_world(database_url) as world:
        administration.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on".encode())
        end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
        administration.execute(end.encode(), [database])
        answer = await world.client.get("/readyz")
        assert (answer.status_code, answer.json()["postgres"], answer.json()["writable"]) == (503, True, False)


async def test_an_outdated_process_is_not_ready_and_appends_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        world.services.probe.min_interval = 0
        with psycopg.connect(database_url) as newer:
            newer.execute("UPDATE log_head SET inline_projections = 'newer 1', inline_order = '{9999,1}'")
        assert (await world.client.get("/readyz")).json()["writable"] is False
        body = {"data": {"type": "organizations", "attributes": {"name": "clinic"}}}
        answer = await world.client.post("/v1/organizations/", json=body, headers=world.system.bearer)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "unavailable")
        assert (await world.client.get("/v1/organizations/", headers=world.system.bearer)).status_code == 200
        with pytest.raises(OutdatedProcess):
            await bootstrap(world.settings)


async def test_the_head_is_taken_every_two_seconds_at_most(database_url: str) -> None:
    class Counted:
        times = 0

        async def lock_head(self, max_wait: float) -> None:
            assert max_wait <= 1
            self.times += 1

    counted = Counted()
    probe = write_probe.WriteProbe([counted])
    assert await asyncio.gather(*(probe.can_write() for _ in range(20))) == [True] * 20
    assert counted.times == 1


async def test_it_is_not_ready_before_all_migrations(database_url: str) -> None:
    async with an_edge(database_url, health.router) as edge:
        await polled(database_url, "0")
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute("DELETE FROM schema_migrations WHERE version = 1")
            status, told = await ready(edge)
            assert (status, told["migrated"]) == (503, False)
            await connection.execute("DROP TABLE schema_migrations")
            status, told = await ready(edge)
            assert (status, told["postgres"], told["migrated"]) == (503, True, False)


async def test_without_postgres_it_lives_and_is_not_ready(database_url: str) -> None:
    async with an_edge(database_url, health.router, health_wait=0.1) as edge:
        await edge.services.pool.close()
        status, told = await ready(edge)
        assert (status, told["postgres"]) == (503, False)
        assert (await edge.client.get("/healthz")).status_code == 200


async def test_it_says_how_redis_is(database_url: str, redis_url: str) -> None:
    for url, told in [(redis_url, "ok"), ("redis://127.0.0.1:1", "unreachable")]:
        async with Redis.from_url(url) as redis, an_edge(database_url, health.router, redis=redis) as edge:
            response = await edge.client.get("/healthz")
            assert (response.status_code, response.json()) == (200, {"status": "ok", "redis": told})


async def test_figures_are_served_when_asked_for(database_url: str) -> None:
    async with an_edge(database_url, health.router, router, metrics=True) as edge:
        await polled(database_url, "0")
        await edge.client.get("/v1/things/x/", headers=edge.person().bearer)
        await edge.client.request("INVENTED", "/v1/nowhere/Jane/")
        figures = (await edge.client.get("/metrics")).text
        assert 'rollbook_request_seconds_count{method="GET",route="/v1/things/{id}/",status="400"}' in figures
        assert 'rollbook_projection_lag_events{projection="things",state="running"} 0' in figures
        assert "# TYPE rollbook_jobs gauge" in figures
        assert "rollbook_append_seconds_bucket" in figures
        assert "INVENTED" not in figures
        assert "Jane" not in figures


async def test_how_long_appends_and_decisions_take_is_counted(database_url: str) -> None:
    async with a_world(database_url, metrics=True) as world:

        async def counts() -> list[float]:
            lines = (await world.client.get("/metrics")).text.splitlines()
            told = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
            return [float(told[f"rollbook_{what}_seconds_count"]) for what in ("append", "decision")]

        before = await counts()
        organization = await world.organization()
        query = {"user-id": str(world.system.user_id), "access-query": [f"organization:{organization}:read"]}
        await world.post("/v1/authz-resource-access/", query, world.system)
        assert all(now > then for now, then in zip(await counts(), before, strict=True))


async def test_figures_are_not_there_otherwise(database_url: str) -> None:
    async with an_edge(database_url, health.router, metrics=False) as edge:
        assert (await edge.client.get("/metrics")).status_code == 404


async def test_the_document_needs_no_session(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        first, second = await asyncio.gather(edge.client.get("/openapi.json"), edge.client.get("/openapi.json"))
        assert first.json() == second.json() == edge.app.openapi()
        assert "/v1/things/{id}/" in first.json()["paths"]
        assert (await edge.client.get("/docs")).status_code == 200
        assert (await edge.client.post("/openapi.json")).headers["Allow"] == "GET, HEAD"


async def test_a_head_request_gets_the_headers_alone(database_url: str) -> None:
    async with an_edge(database_url, health.router, router, metrics=True) as edge:
        await polled(database_url, "0")
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
            shown, head = await edge.client.get(path), await edge.client.head(path)
            assert (head.status_code, head.content) == (200, b""), path
            assert head.headers["Content-Type"] == shown.headers["Content-Type"], path
        assert (await edge.client.head("/v1/things/x/")).status_code == 405
