"""Authentication of callers.

Every operation that needs a token declares it in its signature: `principal: Authenticated`. The token is the first
thing that is checked. The command, or the beginning of a read, checks the permission, after all checks that need no
state (ruling A10). An operation without it is anonymous, and is in the list of tests/api/edge/test_signatures.py.

A read of one statement may declare `caller: CallerDep` instead, and look up the session in that statement:

    decided = await access.decided(user_id, queries, caller.session_id)
    principal = caller.principal(decided.session)

Its other refusals still come after those of the session (see `api.edge.route`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from adapters.security.client_address import CLIENT_ADDRESS
from adapters.security_log import report
from api.services import services_of
from domain.core.errors import Forbidden, SessionRevoked, TokenExpired, Unauthenticated
from domain.core.ports import Claims
from domain.core.principal import Principal
from projections.sessions.sessions import SessionRow

PRINCIPAL = "rollbook.principal"
CALLER = "rollbook.caller"


class AnonymousSession(Forbidden):
    """The session of a call through an anonymous access serves to authenticate only."""


class Caller:
    """A caller with a genuine token. The endpoint still has to look up and check their session."""

    def __init__(self, request: Request) -> None:
        """Raises Unauthenticated or TokenExpired (ruling D11)."""
        self._request = request
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated
        with _report_token_refusals():
            self._claims = services_of(request).tokens.verify(token.strip())

    @property
    def session_id(self) -> UUID:
        """Return the id of the session to look up."""
        return self._claims.session_id

    def principal(self, session: SessionRow | None) -> Principal:
        """Return the principal of the session. Raises Unauthenticated, TokenExpired, SessionRevoked.

        Raises AnonymousSession for one of a call through an anonymous access, unless the operation is for those (K135).
        """
        with _report_token_refusals():
            principal = _principal_of(self._claims, session)
        scope = self._request.scope
        if principal.impersonator is not None and PRINCIPAL not in scope:
            who = {"user": str(principal.user_id), "impersonator": str(principal.impersonator)}
            report("impersonation-used", **who, operation=operation_of(self._request))
        scope[PRINCIPAL] = principal
        if principal.kind == "anonymous" and not scope["route"].flags.for_anonymous_sessions:
            raise AnonymousSession
        return principal


async def caller(request: Request) -> Caller:
    """Return the caller. Raises Unauthenticated or TokenExpired."""
    if CALLER not in request.scope:
        request.scope[CALLER] = Caller(request)
    known: Caller = request.scope[CALLER]
    return known


async def authenticate(request: Request) -> Principal:
    """Return the principal. Raises Unauthenticated, TokenExpired or SessionRevoked (ruling D11)."""
    calling = Caller(request)
    return calling.principal(await services_of(request).session_of(calling.session_id))


async def known_caller(request: Request) -> Principal | None:
    """Return the principal; None without a token, and for one that is not valid here, which is ignored (K63)."""
    try:
        return await authenticate(request)
    except (AnonymousSession, Unauthenticated):
        request.scope.pop(PRINCIPAL, None)
        return None


def _principal_of(claims: Claims, session: SessionRow | None) -> Principal:
    if session is None or session.user_id != claims.user_id:
        raise Unauthenticated
    if session.revoked:
        raise SessionRevoked
    if not session.live:
        raise TokenExpired
    return Principal(
        session.user_id,
        session.session_id,
        session.organization_id,
        session.impersonator,
        session.opened_from,
        kind=session.kind,
        staff=session.staff,
        system=session.system,
        queue_delay=session.queue_delay,
        known_at=session.position,
        authenticated_at=session.authenticated_at,
    )


@contextmanager
def _report_token_refusals() -> Iterator[None]:
    """Report Unauthenticated, raised inside, to the security log (ruling O23)."""
    try:
        yield
    except Unauthenticated as refusal:
        report("token-refused", reason=refusal.code, address=CLIENT_ADDRESS.get())
        raise


def operation_of(request: Request) -> str:
    """Return the method and the path of the operation, with names in place of ids."""
    return f"{request.method} {request.scope['route'].path}"


@contextmanager
def report_permission_refusals(request: Request) -> Iterator[None]:
    """Report Forbidden, raised inside for a principal, to the security log (ruling O23)."""
    try:
        yield
    except Forbidden:
        principal = request.scope.get(PRINCIPAL)
        if principal is not None:
            report("permission-refused", user=str(principal.user_id), operation=operation_of(request))
        raise


Authenticated = Annotated[Principal, Depends(authenticate)]
"""The principal of a caller with a valid token and a live session. The command or read checks what they may do."""
KnownCaller = Annotated[Principal | None, Depends(known_caller)]
"""The principal of a caller of an operation that needs no token, if they sent a valid one."""
CallerDep = Annotated[Caller, Depends(caller)]
"""A caller with a genuine token. The endpoint looks up their session in a statement of its own, and checks it first."""
