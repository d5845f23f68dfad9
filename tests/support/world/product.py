"""The whole product in one process on a test's own database: API, commands, projectors, and people who may call.

async with a_world(database_url) as world:
    organization = await world.organization("north")
    admin = await world.admin(organization)
    answer = await world.client.get("/v1/organizations/", headers=admin.bearer)
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID, uuid4

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.log.event_store import EventStore
from adapters.postgres.connections import Pool
from adapters.security.keyring import Keyring
from adapters.security.signing_keys import signing_keys
from adapters.security.tokens import Tokens
from adapters.settings import Settings
from api.app import create_app
from api.services import Services
from domain.access.roles import ORGANIZATION_ADMIN, role_id
from domain.application import Identity
from domain.core.audited import AuditContext, audited_as
from domain.core.ports import Lookup
from domain.core.principal import Principal, SessionKind
from domain.onboarding.invitations import Contacts, Invitation, OnboardType
from domain.people.users import User
from domain.sessions.service_accounts import ServiceName
from domain.sessions.sessions import Origin, Session, current_organization
from projections import registry
from projections.people.directory import InlineDirectory
from tests.support.world.principals import a_system_administrator
from tests.support.world.settings import ADMIN_EMAIL, PASSWORD, SERVICE, UNLIMITED, settings_for
from workers.following import projectors
from workers.following.followers import all_followers
from workers.jobs import worker as jobs
from workers.jobs.kinds import Commands
from workers.running.bootstrap import bootstrap

JSON_API = "application/vnd.api+json"
PersonKind = Literal["admin", "provider", "patient"]


@dataclass(frozen=True)
class Person:
    """A user with an access token. `individual_id` is None for services."""

    user_id: UUID
    individual_id: UUID | None
    email: str
    bearer: dict[str, str]

    @property
    def token(self) -> str:
        """Return the access token; "" without a session."""
        return self.bearer.get("Authorization", "").removeprefix("Bearer ")


@dataclass
class World:
    """See the module. `system` is the first administrator, `service` an application's account."""

    client: httpx2.AsyncClient
    services: Services
    settings: Settings
    session_store: EventStore
    tokens: Tokens
    keyring: Keyring
    lookup: Lookup
    pool: Pool
    projecting: asyncio.Task[None] | None
    stop: asyncio.Event
    system: Person
    service: Person

    @property
    def identity(self) -> Identity:
        return self.services.identity

    @property
    def administrator(self) -> Principal:
        """The first administrator, for commands that are called without HTTP."""
        return a_system_administrator(self.system.user_id)

    @property
    def job_commands(self) -> Commands:
        return jobs.job_commands(self.identity.store, self.pool, self.lookup, self.settings)

    async def post(self, path: str, body: Any, by: Person, status: int = 201) -> Any:
        """The answer's JSON; fails on any other status."""
        answer = await self.client.post(path, json=body, headers=by.bearer)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def get(self, path: str, by: Person, status: int = 200, /, **parameters: Any) -> Any:
        """The answer's JSON; fails on any other status."""
        answer = await self.client.get(path, params=parameters, headers=by.bearer)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def patch(self, path: str, body: Any, by: Person, status: int = 200) -> Any:
        """The answer's JSON; fails on any other status."""
        answer = await self.client.patch(path, json=body, headers=by.bearer)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def organization(self, name: str | None = None, *, open_: bool = False, **attributes: Any) -> UUID:
        """A new organization, restricted unless `open_`."""
        name = name or f"org-{uuid4().hex[:12]}"
        body = {"data": {"type": "organizations", "attributes": {"name": name, **attributes}}}
        organization_id = UUID((await self.post("/v1/organizations/", body, self.system))["data"]["id"])
        if open_:
            change = {"type": "organizations", "id": str(organization_id), "attributes": {"authorization-type": "open"}}
            await self.patch(f"/v1/organizations/{organization_id}/", {"data": change}, self.system)
        return organization_id

    async def provider(self, organization_id: UUID, email: str | None = None, *, roles: Sequence[str] = ()) -> Person:
        """A new provider of the organization, who can sign in with PASSWORD."""
        return await self._onboard(organization_id, "provider", email, roles)

    async def admin(self, organization_id: UUID, email: str | None = None) -> Person:
        """A new administrator of the organization."""
        return await self.provider(organization_id, email, roles=[ORGANIZATION_ADMIN])

    async def patient(self, organization_id: UUID, email: str | None = None) -> Person:
        """A new participant whose individual is shared with the organization."""
        return await self._onboard(organization_id, "patient", email)

    async def people(self, organization_id: UUID, *kinds: PersonKind) -> list[Person]:
        """Return a new person of the organization for each kind."""
        make = {"admin": self.admin, "provider": self.provider, "patient": self.patient}
        return [await make[kind](organization_id) for kind in kinds]

    async def individual(self, owner_id: UUID) -> UUID:
        """A new individual without an account, of an organization (or a further one of a user)."""
        attributes = {"individual-id": str(uuid4()), "owner-id": str(owner_id)}
        body = {"data": {"type": "individuals", "attributes": attributes}}
        return UUID((await self.post("/v1/individuals/", body, self.service))["data"]["id"])

    async def group(self, organization_id: UUID, name: str = "Group", **attributes: Any) -> UUID:
        """A new top-level group; attributes by their contract names."""
        given = {"name": name, "organization-id": str(organization_id), **attributes}
        body = {"data": {"type": "individual-groups", "attributes": given}}
        return UUID((await self.post("/v1/individual-groups/", body, self.system))["data"]["id"])

    async def move(self, group_id: UUID, parent_id: UUID | None) -> UUID:
        """The task of a move that has been carried out."""
        body = {"to-parent-group-id": None if parent_id is None else str(parent_id)}
        answer = await self.post(f"/v1/individual-groups/{group_id}/move-group/", body, self.system)
        await self.catch_up()
        return UUID(answer["data"]["task-id"])

    async def as_(self, user_id: UUID) -> Person:
        """The user in a fresh session."""
        user = await self.identity.store.get(User, user_id)
        session = await self.session_of(user_id, "service" if user.kind == "service" else "password")
        token = self.tokens.access_token(user.id, session.id, session.organization_id, session.access_until())
        email = user.names.email.value if user.names.email and user.names.email.value else ""
        return Person(user_id, user.individual_id, email, {"Authorization": f"Bearer {token}"})

    async def session_of(self, user_id: UUID, kind: SessionKind, origin: Origin | None = None) -> Session:
        """A fresh session of the user."""
        user = await self.identity.store.get(User, user_id)
        position = await self.identity.store.save()
        organization_id = await current_organization(self.identity.store, user)
        session = Session.open(
            uuid4(), user, organization_id=organization_id, position=position, kind=kind, seconds=3600, origin=origin
        )
        await self.session_store.save(session)
        return session

    async def borrowed(self, person: Person, kind: SessionKind) -> Person:
        """The person in a session in which a service, or the first administrator, acts as them."""
        own = self.tokens.verify(self.system.token).session_id
        origin = Origin(self.system.user_id, own) if kind == "impersonated" else None
        session = await self.session_of(person.user_id, kind, origin)
        token = self.tokens.access_token(
            person.user_id,
            session.id,
            session.organization_id,
            session.access_until(),
            impersonator=session.impersonator,
        )
        return replace(person, bearer={"Authorization": f"Bearer {token}"})

    async def catch_up(self) -> None:
        """Everything pending is projected and every job that is due is done."""
        if self.projecting is None:
            await projectors.catch_up(self.pool, self.keyring, self.job_commands)
            return
        names = [follower.name for follower in all_followers()]
        app = jobs.job_app(self.job_commands)
        async with app.open_async(self.pool):
            while True:
                assert await self.services.positions.reached(names, await self.identity.store.save(), 20)
                if not await jobs.run_due_jobs(app):
                    break

    async def stop_projecting(self) -> None:
        """From now on read models stand still unless `catch_up` is called."""
        if self.projecting is not None:
            await self.end()
            await self._leases_are_free()

    async def end(self) -> None:
        """Stop the projectors, if they run."""
        projecting, self.projecting = self.projecting, None
        self.stop.set()
        if projecting is not None:
            await projecting

    async def _leases_are_free(self) -> None:
        """Wait until Postgres has ended the sessions of the projectors, which happens after they are closed."""
        for _ in range(1000):
            async with self.pool.connection() as connection:
                cursor = await connection.execute(
                    "SELECT FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'rollbook-projector'"
                )
                if await cursor.fetchone() is None:
                    return
            await asyncio.sleep(0.01)
        raise AssertionError("a session of the projectors has not ended")

    async def _onboard(
        self, organization_id: UUID, onboard_type: OnboardType, email: str | None, roles: Sequence[str] = ()
    ) -> Person:
        invitation = Invitation(
            organization_id,
            onboard_type,
            Contacts(email or f"{onboard_type}-{uuid4().hex[:12]}@people.test"),
            password=PASSWORD,
            provider_roles=roles,
            notifications=[],
            auto_sign_up=True,
            auto_confirm=True,
        )
        with audited_as(AuditContext(actor=self.system.user_id)):
            request, _ = await self.identity.onboarding_requests.create(self.administrator, invitation)
        assert request.claimed_by is not None
        return await self.as_(request.claimed_by)


@asynccontextmanager
async def a_world(database_url: str, *, projecting: bool = True, **changes: Any) -> AsyncIterator[World]:
    """A running product. Without `projecting` background read models move only by `catch_up`."""
    settings = settings_for(database_url, **changes)
    await bootstrap(settings)
    app = create_app(settings)
    stop = asyncio.Event()
    following = asyncio.create_task(projectors.run(settings, stop)) if projecting else None
    async with (
        app.router.lifespan_context(app) as state,
        Pool(settings.dsn(), application_name="tests", max_size=4) as pool,
    ):
        keyring = Keyring(pool, settings.master_key_bytes())
        lookup = await keyring.lookup()
        transport = httpx2.ASGITransport(app=WithState(app, dict(state or {})))
        async with (
            EventStore(pool, "sessions", registry.inline(lookup, "sessions"), keyring) as session_store,
            httpx2.AsyncClient(transport=transport, base_url="http://rollbook.test") as client,
        ):
            services: Services = (state or {})["services"]
            tokens = Tokens(signing_keys(settings), settings.issuer, settings.audience)
            unknown = Person(uuid4(), None, "", {})
            world = World(
                client, services, settings, session_store, tokens, keyring, lookup, pool, following, stop, unknown,
                unknown,
            )  # fmt: skip
            await _introduce(world)
            if projecting:  # what the first start recorded can be read from the first request on
                await world.catch_up()
            yield world
    await world.end()


async def _introduce(world: World) -> None:
    directory = InlineDirectory(world.pool, world.lookup)
    admin_id = await directory.user_by_login(ADMIN_EMAIL)
    assert admin_id is not None
    world.system = await world.as_(admin_id)
    namespace, name, _ = SERVICE
    world.service = await world.as_(ServiceName(namespace, name).user_id)


class WithState:
    """What a server does between lifespan and requests: hands the application's state to each of them."""

    def __init__(self, app: ASGIApp, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": dict(self._state)}, receive, send)


__all__ = [
    "ADMIN_EMAIL", "JSON_API", "PASSWORD", "SERVICE", "UNLIMITED", "Person", "World", "a_world", "role_id",
    "settings_for",
]  # fmt: skip
