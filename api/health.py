"""Health, readiness and metrics of this process, without authentication (architecture 8, rulings J4 and J6)."""

import asyncio
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

import orjson
import psycopg
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from psycopg import AsyncConnection
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from adapters.metrics import counted
from api.edge.operations import ResourceRouter
from api.services import Services, services_of
from domain.core.errors import NotFound
from migrations.runner import lacking
from projections.core.replicators import replicators

EXTENSION: dict[str, Any] = {"x-extension": True}

router = ResourceRouter("health", "Whether this process is alive, can serve, and what it counts.")
log = structlog.get_logger()


class Readiness(NamedTuple):
    """What this process needs to answer requests. Without projectors lists lag, but nothing is lost."""

    postgres: bool = False
    migrated: bool = False
    writable: bool = False
    projectors: bool = False

    @property
    def ready(self) -> bool:
        """Return whether this process can carry out logins and commands (ruling O28)."""
        return self.postgres and self.migrated and self.writable


@router.get("/healthz", openapi_extra=EXTENSION)
async def healthz(request: Request) -> Response:
    """Return that this process answers, and whether Redis does. Without Redis the service works, but more slowly."""
    return _json({"status": "ok", "redis": await _redis(services_of(request))})


@router.get("/readyz", openapi_extra=EXTENSION, responses={503: {"description": "Not ready"}})
async def readyz(request: Request) -> Response:
    """Return 200 if the database is reachable, migrated and writable, else 503, and whether a worker projects."""
    services = services_of(request)
    readiness = await _readiness(services)
    document = {"ready": readiness.ready, **readiness._asdict(), "redis": await _redis(services)}
    return _json(document, 200 if readiness.ready else 503)


@router.get("/metrics", openapi_extra=EXTENSION)
async def metrics(request: Request) -> Response:
    """Return the metrics for Prometheus. Raises NotFound unless the setting enables them."""
    services = services_of(request)
    if not services.settings.metrics:
        raise NotFound("No resource has this path.")
    figures = _Figures(await _looked_up(services))
    # in a thread, because the metrics of several processes are in files
    return Response(await asyncio.to_thread(generate_latest, figures), media_type=CONTENT_TYPE_LATEST)


class _Figures(NamedTuple):
    """A collector for prometheus_client: the counted metrics and the looked up ones."""

    looked_up: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return chain(counted().collect(), self.looked_up)


async def _readiness(services: Services) -> Readiness:
    try:
        async with asyncio.timeout(services.settings.health_wait), services.pool.connection() as connection:
            migrated, projectors = not await lacking(connection), await _projecting(connection)
    except psycopg.errors.UndefinedTable:
        return Readiness(postgres=True)
    except (psycopg.Error, TimeoutError) as error:
        log.warning("not-ready", reason=type(error).__name__)
        return Readiness()
    return Readiness(True, migrated, migrated and await services.probe.can_write(), projectors)


async def _projecting(connection: AsyncConnection) -> bool:
    """Return whether a worker follows the log. A failing projection does not make the service unready."""
    cursor = await connection.execute(
        "SELECT EXISTS (SELECT FROM projections"
        " WHERE mode = 'background' AND last_poll_at > now() - interval '5 seconds')"
    )
    return await cursor.fetchone() == (True,)


async def _redis(services: Services) -> str:
    if services.redis is None:
        return "absent"
    try:
        async with asyncio.timeout(services.settings.health_wait):
            await services.redis.ping()
    except (RedisError, OSError, TimeoutError):
        return "unreachable"
    return "ok"


async def _looked_up(services: Services) -> list[Metric]:
    """Return the metrics that are read from the database and are the same for every process."""
    labels = ["projection", "state"]
    behind = GaugeMetricFamily("rollbook_projection_lag_events", "Events that are still to be applied.", labels=labels)
    late = GaugeMetricFamily("rollbook_projection_lag_seconds", "Age of the oldest of them.", labels=labels)
    projecting = GaugeMetricFamily("rollbook_projecting", "Whether any worker follows the log: 1 or 0.")
    queue = GaugeMetricFamily("rollbook_jobs", "Jobs in the queue; `failed` ones are dead.", labels=["status"])
    try:
        async with asyncio.timeout(services.settings.health_wait), services.pool.connection() as connection:
            for row in await replicators(connection):
                behind.add_metric([row.name, row.state], row.lag_events)
                late.add_metric([row.name, row.state], row.lag_seconds)
            projecting.add_metric([], await _projecting(connection))
            cursor = await connection.execute("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status")
            for status, jobs in await cursor.fetchall():
                queue.add_metric([status], jobs)
    except (psycopg.Error, TimeoutError) as error:
        log.warning("figures-not-looked-up", reason=type(error).__name__)
    return [behind, late, projecting, queue]


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
