"""Operations that an organization's administrators and system administrators have, and services have not (semantics 4).

    caller: AdministersOrganization    the organization in the path
    caller: AdministersRole            the organization whose role is in the path

For an organization that the body names: `await administers(access, caller, organization_id, pointer="/data/…")`.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from api.edge.caller import Permission, require
from api.services import Services, services_of
from domain.access.roles import RoleNotFound
from domain.core.errors import Forbidden
from domain.core.ports import Access
from domain.core.principal import Principal
from projections.access import roles


async def administers(access: Access, caller: Principal, organization_id: UUID, **where: Any) -> None:
    """Nothing, when the caller does. Raises NotFound when he may not even read it, else Forbidden.

    A system administrator's is whatever there is, also what is inactive: whether it is, the command finds out.
    """
    if caller.system:
        await require(access, caller, "organization", organization_id, "read", **where)
        return
    await require(access, caller, "organization", organization_id, "write", **where)
    if caller.service:
        raise Forbidden(**where)


async def administers_role(services: Services, caller: Principal, role_id: UUID, **where: Any) -> None:
    """The same of the organization whose role it is. Raises RoleNotFound, NotFound, Forbidden."""
    organization_id = await services.pool.ask(lambda cursor: roles.organization_of(cursor, role_id))
    if organization_id is None:
        raise RoleNotFound(**where)
    await administers(services.access, caller, organization_id, **where)


class _OrganizationPermission(Permission):
    async def admit(self, request: Request, caller: Principal) -> Principal:
        await administers(services_of(request).access, caller, UUID(request.path_params["id"]))
        return caller


class _RolePermission(Permission):
    async def admit(self, request: Request, caller: Principal) -> Principal:
        await administers_role(services_of(request), caller, UUID(request.path_params["id"]))
        return caller


AdministersOrganization = Annotated[Principal, Depends(_OrganizationPermission())]
AdministersRole = Annotated[Principal, Depends(_RolePermission())]
