"""The edge alone: an application of a test's own routes, callers by name, on a real database."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import httpx2
from fastapi import FastAPI
from redis.asyncio import Redis

from adapters.log.event_store import EventStore
from adapters.log.idempotency_store import IdempotencyStore
from adapters.log.notifications import Notifications
from adapters.log.write_probe import WriteProbe
from adapters.postgres.connections import Pool
from adapters.security.keyring import Keyring
from adapters.security.throttle import Throttle
from adapters.settings import Settings
from api.app import application
from api.edge.access import ReadAccess
from api.edge.operations import ResourceRouter
from api.edge.positions import Positions
from api.services import Services
from domain.application import Identity
from domain.core.errors import TokenExpired, Unauthenticated
from domain.core.permissions import Permissions
from domain.core.ports import Claims
from projections.sessions.sessions import SessionRow
from tests.support.doubles import Grants
from tests.support.logins import application_dsn
from tests.support.stores import MASTER_KEY

DELIVERIES = re.compile(r'"email-dsn":.*?(?="onboard-type")')


def without_deliveries(text: str) -> str:
    """Return the answer without what became of messages: jobs send them between two answers."""
    return DELIVERIES.sub("", text)


@dataclass
class Person:
    """A caller, known by the id of their session as token."""

    user_id: UUID = field(default_factory=uuid4)
    session_id: UUID = field(default_factory=uuid4)
    service: bool = False
    staff: bool = False
    system: bool = False
    revoked: bool = False
    expired: bool = False

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.session_id}"}


@dataclass
class Edge:
    """A running application with a client, and what a test may change about the world around it."""

    app: FastAPI
    client: httpx2.AsyncClient
    services: Services
    grants: Grants
    people: dict[UUID, Person]
    store: EventStore

    def person(self, **facts: Any) -> Person:
        person = Person(**facts)
        self.people[person.session_id] = person
        return person


class SpokenTokens:
    """Tokens that are the session's id."""

    def __init__(self, people: dict[UUID, Person]) -> None:
        self._people = people

    def verify(self, token: str) -> Claims:
        try:
            session_id = UUID(token)
        except ValueError:
            raise Unauthenticated from None
        person = self._people.get(session_id)
        if person is not None and person.expired:
            raise TokenExpired
        return Claims(person.user_id if person else uuid4(), session_id, None, 0)


def sessions_of(people: dict[UUID, Person]) -> Callable[[UUID], Any]:
    async def session_of(session_id: UUID) -> SessionRow | None:
        person = people.get(session_id)
        if person is None:
            return None
        return SessionRow(
            session_id=session_id,
            user_id=person.user_id,
            organization_id=None,
            kind="service" if person.service else "password",
            expires_at=datetime.now(UTC) + timedelta(hours=1),
            revoked=person.revoked,
            staff=person.staff or person.system,
            system=person.system,
            queue_delay=0,
            impersonator=None,
            opened_from=None,
            authenticated_at=datetime.now(UTC),
            position=0,
        )

    return session_of


@asynccontextmanager
async def an_edge(
    database_url: str, *routers: ResourceRouter, redis: Redis | None = None, **settings: Any
) -> AsyncIterator[Edge]:
    """Routes of a test, served: 2 s of patience unless the settings say otherwise."""
    people: dict[UUID, Person] = {}
    grants = Grants()
    async with AsyncExitStack() as stack:
        dsn = application_dsn(database_url)
        pool = await stack.enter_async_context(Pool(dsn, application_name="tests", max_size=4))
        own = await stack.enter_async_context(Pool(dsn, application_name="tests", max_size=4))
        store = await stack.enter_async_context(EventStore(own, "identity", [], Keyring(own, MASTER_KEY)))
        notifications = Notifications(dsn)
        positions = await stack.enter_async_context(Positions(pool, notifications))
        await stack.enter_async_context(notifications)
        services = Services(
            settings=Settings.model_construct(**{"position_wait": 2.0, "metrics": True, **settings}),
            pool=pool,
            positions=positions,
            indexing=cast("Any", None),
            tokens=SpokenTokens(people),
            access=cast("ReadAccess", grants),
            answers=await stack.enter_async_context(IdempotencyStore(pool, dsn, MASTER_KEY)),
            identity=cast(
                "Identity", SimpleNamespace(permissions=Permissions(grants))
            ),  # these routes have no commands
            directory=cast("Any", None),
            signer=cast("Any", None),
            reviewer=cast("Any", None),
            throttle=Throttle(redis, lambda kind, value: f"{kind} {value}".encode()),
            probe=WriteProbe([store]),
            redis=redis,
            session_of=sessions_of(people),
        )

        @asynccontextmanager
        async def building() -> AsyncIterator[Services]:
            yield services

        app = application(services.settings, list(routers), building)
        client = await stack.enter_async_context(a_client(app))
        yield Edge(app, client, services, grants, people, store)


@asynccontextmanager
async def a_client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an application that runs in this process, started and stopped."""
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(cast("Any", state))}, receive, send)

        transport = httpx2.ASGITransport(with_state)
        async with httpx2.AsyncClient(transport=transport, base_url="http://rollbook.test") as client:
            yield client


async def eventually(holds: Callable[[], object]) -> None:
    """Until the condition holds, for a few seconds."""
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(holds)
