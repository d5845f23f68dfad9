"""Who is calling, and what an operation demands of him.

Every operation that needs a token names it in its signature:

    caller: Authenticated                 any valid token
    caller: MayWriteGroup          the thing in the path: 404 when not readable, 403 when only readable
                                   (also MayReadGroup, MayReadIndividual)
    caller: ServiceOnly            SystemOnly, SystemOrService, Staff, StaffOrService: everybody else 403

For things that query or body name: `await require(access, caller, "group", id, "read", parameter="group-id")`.

The token is checked first of all; the permission is judged after everything that needs no state (ruling A10).
An operation without one of these is anonymous, and stands in the list of tests/api/edge/test_signatures.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from adapters.security.client_address import CLIENT_ADDRESS
from adapters.security_log import report
from api.services import services_of
from domain.core.errors import Forbidden, NotFound, SessionRevoked, TokenExpired, Unauthenticated
from domain.core.ports import Access, AccessQuery, Operation
from domain.core.principal import Principal

CALLER = "rollbook.caller"


async def authenticate(request: Request) -> Principal:
    """The caller. Raises Unauthenticated, TokenExpired or SessionRevoked (ruling D11)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    try:
        caller = await _bearer_of(request, token.strip())
    except Unauthenticated as refusal:
        report("token-refused", reason=refusal.code, address=CLIENT_ADDRESS.get())
        raise
    if caller.impersonator is not None and CALLER not in request.scope:
        who = {"user": str(caller.user_id), "impersonator": str(caller.impersonator)}
        report("impersonation-used", **who, operation=operation_of(request))
    request.scope[CALLER] = caller
    return caller


async def _bearer_of(request: Request, token: str) -> Principal:
    services = services_of(request)
    claims = services.tokens.verify(token)
    session = await services.session_of(claims.session_id)
    if session is None or session.user_id != claims.user_id:
        raise Unauthenticated
    if session.revoked:
        raise SessionRevoked
    if not session.stands:
        raise TokenExpired
    return Principal(
        session.user_id,
        session.session_id,
        session.organization_id,
        claims.impersonator,
        service=session.service,
        staff=session.staff,
        system=session.system,
        queue_delay=session.queue_delay,
        known_at=session.position,
    )


def operation_of(request: Request) -> str:
    """Method and path of the operation, without the ids in the path."""
    return f"{request.method} {request.scope['route'].path}"


@contextmanager
def permission_refusals_told(request: Request, caller: Principal | None) -> Iterator[None]:
    """Report Forbidden, raised inside for a signed caller, to the security log (ruling O23)."""
    try:
        yield
    except Forbidden:
        if caller is not None:
            report("permission-refused", user=str(caller.user_id), operation=operation_of(request))
        raise


class Permission:
    """What an operation demands of its caller. The route resolves it at its place in the order of refusals."""

    async def __call__(self, request: Request) -> Principal:
        """For FastAPI, which looks at the signature only: `ContractRoute` calls `admit`."""
        caller: Principal | None = request.scope.get(CALLER)
        return await self.admit(request, caller or await authenticate(request))

    async def admit(self, request: Request, caller: Principal) -> Principal:  # noqa: ARG002 - subclasses look at it
        """The caller. Raises NotFound or Forbidden."""
        return caller


class StandingPermission(Permission):
    """Asks only who the caller is."""

    def __init__(self, allows: Callable[[Principal], bool]) -> None:
        self._allows = allows

    async def admit(self, request: Request, caller: Principal) -> Principal:  # noqa: ARG002 - as its base has it
        if not self._allows(caller):
            raise Forbidden
        return caller


class ResourcePermission(Permission):
    """Asks the authorization engine about the thing in the path."""

    def __init__(self, resource_type: str, operation: Operation) -> None:
        self._type = resource_type
        self._operation = operation

    async def admit(self, request: Request, caller: Principal) -> Principal:
        resource_id = UUID(next(iter(request.path_params.values())))
        await require(services_of(request).access, caller, self._type, resource_id, self._operation)
        return caller


async def require(
    access: Access,
    caller: Principal,
    resource_type: str,
    resource_id: UUID,
    operation: Operation,
    **where: Any,
) -> None:
    """Nothing, when the caller may. Raises NotFound when he may not even read it, else Forbidden (ruling D12).

    `where` is `pointer` or `parameter`, for things that body or query name.
    """
    wanted = AccessQuery(resource_type, resource_id, operation)
    if operation == "read":
        (readable,) = await access.decide(caller.user_id, [wanted])
        allowed = readable
    else:
        allowed, readable = await access.decide(caller.user_id, [wanted, wanted._replace(operation="read")])
    if not readable and not allowed:
        raise NotFound(**where)
    if not allowed:
        raise Forbidden(**where)


Authenticated = Annotated[Principal, Depends(Permission())]
"""Anybody with a valid token."""
ServiceOnly = Annotated[Principal, Depends(StandingPermission(lambda caller: caller.service))]
SystemOnly = Annotated[Principal, Depends(StandingPermission(lambda caller: caller.system))]
SystemOrService = Annotated[Principal, Depends(StandingPermission(lambda caller: caller.unlimited))]
Staff = Annotated[Principal, Depends(StandingPermission(lambda caller: caller.staff))]
StaffOrService = Annotated[Principal, Depends(StandingPermission(lambda caller: caller.reads_all))]

MayReadGroup = Annotated[Principal, Depends(ResourcePermission("group", "read"))]
MayWriteGroup = Annotated[Principal, Depends(ResourcePermission("group", "write"))]
MayReadIndividual = Annotated[Principal, Depends(ResourcePermission("individual", "read"))]
