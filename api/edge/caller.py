"""Who is calling, and what an operation demands of him.

Every operation that needs a token names it in its signature:

    caller: Signed                 any valid token
    caller: MayWriteGroup          the thing in the path: 404 when not readable, 403 when only readable
                                   (also MayReadGroup, MayReadIndividual)
    caller: ServiceOnly            SystemOnly, SystemOrService, Staff, StaffOrService: everybody else 403

For things that query or body name: `await require(access, caller, "group", id, "read", parameter="group-id")`.

The token is checked first of all; the permission is judged after everything that needs no state (ruling A10).
An operation without one of these is anonymous, and stands in the list of tests/api/edge/test_signatures.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from adapters.security.client_address import CLIENT_ADDRESS
from adapters.security_log import report
from api.services import services_of
from domain.core.audited import AuditContext
from domain.core.decisions import Decision
from domain.core.errors import Forbidden, NotFound, SessionRevoked, TokenExpired, Unauthenticated
from domain.core.ports import Access, AccessQuery, Operation

CALLER = "rollbook.caller"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user in a session. `staff` includes `system`; a service is neither.

    `organization_id` is the session's current organization, on which no right depends (ruling C5); `queue_delay` is by
    how many milliseconds its background jobs are delayed on purpose; `known_at` is the position of the log that all of
    this is of.
    """

    user_id: UUID
    session_id: UUID
    organization_id: UUID | None
    impersonator: UUID | None = None
    service: bool = False
    staff: bool = False
    system: bool = False
    queue_delay: int = 0
    known_at: int = 0

    @property
    def unlimited(self) -> bool:
        """A system administrator or a service account."""
        return self.system or self.service

    @property
    def reads_all(self) -> bool:
        """Who reads all organizations and users: staff, system administrators among them, and service accounts."""
        return self.staff or self.unlimited

    def decision(self) -> Decision:
        """What a command of this caller rests on so far: on what they are, too."""
        decision = Decision(self.user_id, self.session_id, self.known_at)
        operations: dict[Operation, bool] = {"read": self.reads_all, "write": self.unlimited}
        decision.rest_on(self.user_id, [AccessQuery("system", None, each) for each, has in operations.items() if has])
        return decision

    def circumstances(self, correlation: str | None) -> AuditContext:
        """What the events of this request say of who caused them."""
        return AuditContext(self.user_id, self.impersonator, self.session_id, self.organization_id, correlation)


async def authenticate(request: Request) -> Caller:
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


async def _bearer_of(request: Request, token: str) -> Caller:
    services = services_of(request)
    claims = services.tokens.verify(token)
    session = await services.session_of(claims.session_id)
    if session is None or session.user_id != claims.user_id:
        raise Unauthenticated
    if session.revoked:
        raise SessionRevoked
    if not session.stands:
        raise TokenExpired
    return Caller(
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
def permission_refusals_told(request: Request, caller: Caller | None) -> Iterator[None]:
    """Report Forbidden, raised inside for a signed caller, to the security log (ruling O23)."""
    try:
        yield
    except Forbidden:
        if caller is not None:
            report("permission-refused", user=str(caller.user_id), operation=operation_of(request))
        raise


class Permission:
    """What an operation demands of its caller. The route resolves it at its place in the order of refusals."""

    async def __call__(self, request: Request) -> Caller:
        """For FastAPI, which looks at the signature only: `ContractRoute` calls `admit`."""
        caller: Caller | None = request.scope.get(CALLER)
        return await self.admit(request, caller or await authenticate(request))

    async def admit(self, request: Request, caller: Caller) -> Caller:  # noqa: ARG002 - subclasses look at it
        """The caller. Raises NotFound or Forbidden."""
        return caller


class StandingPermission(Permission):
    """Asks only who the caller is."""

    def __init__(self, allows: Callable[[Caller], bool]) -> None:
        self._allows = allows

    async def admit(self, request: Request, caller: Caller) -> Caller:  # noqa: ARG002 - as its base has it
        if not self._allows(caller):
            raise Forbidden
        return caller


class ResourcePermission(Permission):
    """Asks the authorization engine about the thing in the path."""

    def __init__(self, resource_type: str, operation: Operation) -> None:
        self._type = resource_type
        self._operation = operation

    async def admit(self, request: Request, caller: Caller) -> Caller:
        resource_id = UUID(next(iter(request.path_params.values())))
        await require(services_of(request).access, caller, self._type, resource_id, self._operation)
        return caller


async def require(
    access: Access,
    caller: Caller,
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


Signed = Annotated[Caller, Depends(Permission())]
"""Anybody with a valid token."""
ServiceOnly = Annotated[Caller, Depends(StandingPermission(lambda caller: caller.service))]
SystemOnly = Annotated[Caller, Depends(StandingPermission(lambda caller: caller.system))]
SystemOrService = Annotated[Caller, Depends(StandingPermission(lambda caller: caller.unlimited))]
Staff = Annotated[Caller, Depends(StandingPermission(lambda caller: caller.staff))]
StaffOrService = Annotated[Caller, Depends(StandingPermission(lambda caller: caller.reads_all))]

MayReadGroup = Annotated[Caller, Depends(ResourcePermission("group", "read"))]
MayWriteGroup = Annotated[Caller, Depends(ResourcePermission("group", "write"))]
MayReadIndividual = Annotated[Caller, Depends(ResourcePermission("individual", "read"))]
