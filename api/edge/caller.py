"""Who is calling.

Every operation that needs a token names it in its signature: `principal: Authenticated`. The token is checked first of
all; permission is judged by the command, or at the beginning of a read, after everything that needs no state (ruling
A10). An operation without it is anonymous, and stands in the list of tests/api/edge/test_signatures.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from adapters.security.client_address import CLIENT_ADDRESS
from adapters.security_log import report
from api.services import services_of
from domain.core.errors import Forbidden, SessionRevoked, TokenExpired, Unauthenticated
from domain.core.principal import Principal

PRINCIPAL = "rollbook.principal"


async def authenticate(request: Request) -> Principal:
    """Return the principal. Raises Unauthenticated, TokenExpired or SessionRevoked (ruling D11)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    try:
        principal = await _bearer_of(request, token.strip())
    except Unauthenticated as refusal:
        report("token-refused", reason=refusal.code, address=CLIENT_ADDRESS.get())
        raise
    if principal.impersonator is not None and PRINCIPAL not in request.scope:
        who = {"user": str(principal.user_id), "impersonator": str(principal.impersonator)}
        report("impersonation-used", **who, operation=operation_of(request))
    request.scope[PRINCIPAL] = principal
    return principal


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
        kind=session.kind if claims.impersonator is None else "impersonated",
        staff=session.staff,
        system=session.system,
        queue_delay=session.queue_delay,
        known_at=session.position,
    )


def operation_of(request: Request) -> str:
    """Method and path of the operation, without the ids in the path."""
    return f"{request.method} {request.scope['route'].path}"


@contextmanager
def permission_refusals_told(request: Request, principal: Principal | None) -> Iterator[None]:
    """Report Forbidden, raised inside for a principal, to the security log (ruling O23)."""
    try:
        yield
    except Forbidden:
        if principal is not None:
            report("permission-refused", user=str(principal.user_id), operation=operation_of(request))
        raise


Authenticated = Annotated[Principal, Depends(authenticate)]
"""Who is calling, with any valid token; what they may do is judged later."""
