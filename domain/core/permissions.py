"""Checks of what a principal may do. Commands and reads check permissions here only."""

from collections.abc import Iterable
from uuid import UUID

from domain.core.errors import Forbidden, NotFound
from domain.core.ports import Access, AccessQuery
from domain.core.principal import Principal


class Permissions:
    """Asks the authorization engine. `argument` is the argument that a refusal is about."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def allows(self, principal: Principal, *queries: AccessQuery) -> list[bool]:
        """Return one answer for each query, all from one snapshot."""
        return await self._access.decide(principal.user_id, queries)

    async def require(self, principal: Principal, query: AccessQuery, *, argument: str | None = None) -> None:
        """Raise NotFound when the principal may not read the resource, Forbidden when the query is denied (D12)."""
        if query.operation == "read":
            (readable,) = await self.allows(principal, query)
            allowed = readable
        else:
            allowed, readable = await self.allows(principal, query, query._replace(operation="read"))
        if not (readable or allowed):
            raise NotFound(argument=argument)
        if not allowed:
            raise Forbidden(argument=argument)

    async def require_administrator(
        self, principal: Principal, organization_id: UUID, *, argument: str | None = None
    ) -> None:
        """Raise NotFound or Forbidden unless the principal administers the organization or the system (semantics 4).

        Service accounts are refused. A system administrator administers inactive organizations too.
        """
        query = AccessQuery("organization", organization_id, "read" if principal.system else "write")
        await self.require(principal, query, argument=argument)
        if principal.service:
            raise Forbidden(argument=argument)

    async def readable_users(self, principal: Principal, user_ids: Iterable[UUID]) -> set[UUID]:
        """Return the given users that the principal may read (semantics 4, ruling E3)."""
        return await self._access.readable_users(principal.user_id, user_ids)

    async def require_readable_user(self, principal: Principal, user_id: UUID, *, argument: str | None = None) -> None:
        """Raise NotFound when the principal may not read the user."""
        if not await self.readable_users(principal, [user_id]):
            raise NotFound(argument=argument)
