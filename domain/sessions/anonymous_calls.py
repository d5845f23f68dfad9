"""Commands on anonymous accesses, and the calls through them (rulings K61, K62 and K132 to K136)."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID, uuid4

from domain.core.audited import AUDIT_CONTEXT, audited_as
from domain.core.errors import Forbidden
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store, retry_on_conflict
from domain.core.principal import Principal
from domain.people.individuals import sharing_organizations
from domain.people.users import User, UserArchived, UserNotFound
from domain.sessions.anonymous_accesses import (
    AllowedEndpoint,
    AnonymousAccess,
    AnonymousAccessNotFound,
    Method,
    UserIsDisabled,
    UserIsProvider,
    access_key,
    require_acceptable,
)
from domain.sessions.sessions import Session

CALL_SECONDS = 60
"""The lifetime of the session of one call."""


class ProxiedCall(NamedTuple):
    """A call to another service. `query` is the encoded query string, "" for none."""

    service: str
    path: str
    method: Method
    query: str
    json: Mapping[str, Any] | None


class ProxiedAnswer(NamedTuple):
    """The answer of the other service: 502 if it has none, 504 if it took too long.

    `json` is the text of the JSON object that it has, None without one.
    """

    status: int
    json: bytes | None = None


Send = Callable[[UUID, Session], Awaitable[ProxiedAnswer]]
"""Makes a call through the access with this id, in the session of its user, and returns the answer."""


class ProxiedServices(Protocol):
    """The services that can be called through anonymous accesses."""

    @property
    def names(self) -> Collection[str]:
        """Return the names of the services that are set up."""
        ...

    def prepare(self, call: ProxiedCall) -> Send:
        """Return the function that makes the call."""
        ...


class ProxiedCallLimit(Protocol):
    """Limits the calls through one access."""

    async def take(self, access_key: UUID) -> None:
        """Count a call. Raises TooMany after too many recent ones."""
        ...


@dataclass(frozen=True, eq=False)
class AnonymousAccesses:
    """The commands. `identity` and `sessions` are the stores of the two logs."""

    identity: Store
    sessions: Store
    permissions: Permissions
    services: ProxiedServices
    limit: ProxiedCallLimit

    @retry_on_conflict
    async def create(
        self, principal: Principal, user_id: UUID, expired_at: datetime, allowed_endpoints: Sequence[AllowedEndpoint]
    ) -> tuple[UUID, int]:
        """Create an access to endpoints as a participant. Return its id and the position of its event.

        Raises UnknownService, BadExpiration; NotFound, Forbidden, UserIsProvider, UserIsDisabled.
        """
        require_acceptable(allowed_endpoints, self.services.names, expired_at, ends_later=True)
        await self.permissions.require_readable_user(principal, user_id, argument="user_id")
        user = await self.identity.find(User, user_id)
        if user is None or user.kind == "service":
            raise UserNotFound(argument="user_id")
        if not await self._manages(principal, user):
            raise Forbidden(argument="user_id")
        access_id = uuid4()
        access = AnonymousAccess.create(access_id, user_id, expired_at, allowed_endpoints)
        if user.organizations:
            raise UserIsProvider
        if not user.enabled or user.archived:
            raise UserIsDisabled
        return access_id, await self.identity.save(access, unchanged=[user], result=access_id)

    async def find(self, principal: Principal, access_id: UUID) -> AnonymousAccess:
        """Return the access. Raises AnonymousAccessNotFound."""
        access, _ = await self._find(principal, access_id)
        return access

    @retry_on_conflict
    async def change(
        self,
        principal: Principal,
        access_id: UUID,
        *,
        expired_at: datetime | None = None,
        allowed_endpoints: Sequence[AllowedEndpoint] | None = None,
    ) -> int:
        """Change what is not None. Return the position of the event.

        Raises UnknownService, BadExpiration; AnonymousAccessNotFound, Forbidden, UserArchived.
        """
        require_acceptable(allowed_endpoints or (), self.services.names, expired_at, ends_later=False)
        access, user = await self._find(principal, access_id)
        if principal.system:
            raise Forbidden
        if user.archived:
            raise UserArchived
        access.change(expired_at=expired_at, endpoints=allowed_endpoints)
        return await self.identity.save(access)

    async def call(self, access_id: UUID, call: ProxiedCall) -> ProxiedAnswer:
        """Make the call as the user of the access, whoever sends it, and return the answer.

        Raises AnonymousAccessNotFound, AnonymousAccessExpired, Forbidden, TooMany.
        """
        position = await self.identity.save()
        access = await self.identity.find(AnonymousAccess, access_key(access_id))
        if access is None:
            raise AnonymousAccessNotFound
        access.require_not_expired()
        user = await self.identity.get(User, access.user_id)
        if not user.enabled or user.archived:
            raise Forbidden
        await self.limit.take(access.id)
        if not any(each.allows(call.service, call.path, call.method) for each in access.allowed_endpoints):
            raise Forbidden
        send = self.services.prepare(call)
        session_id = uuid4()
        with audited_as(replace(AUDIT_CONTEXT.get(), session=session_id)):
            session = Session.open(
                session_id, user, organization_id=None, position=position, kind="anonymous", seconds=CALL_SECONDS
            )
            await self.sessions.save(session)
            answer = await send(access_id, session)
            session.record_proxied_call(access.id, call.service, call.path, call.method, answer.status)
            await self.sessions.save(session)
        return answer

    async def _find(self, principal: Principal, access_id: UUID) -> tuple[AnonymousAccess, User]:
        """Return the access and its user; that of an archived user only to system administrators and services."""
        access = await self.identity.find(AnonymousAccess, access_key(access_id))
        if access is None:
            raise AnonymousAccessNotFound
        user = await self.identity.get(User, access.user_id)
        known = principal.unlimited or (not user.archived and await self._manages(principal, user))
        if not known:
            raise AnonymousAccessNotFound
        return access, user

    async def _manages(self, principal: Principal, user: User) -> bool:
        """Return whether the principal is a service, or administers an organization that the user is inside of."""
        if principal.service or principal.system:
            return principal.service
        organizations = {*user.organizations, *await sharing_organizations(self.identity, user)}
        queries = [AccessQuery("organization", organization_id, "write") for organization_id in sorted(organizations)]
        return bool(queries) and any(await self.permissions.allows(principal, *queries))
