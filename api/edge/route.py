"""The route class of all operations: the order of refusals, and the declaration of an operation.

    router = contract_router("individual-groups", "Groups of individuals.")

    @router.get("/v1/individual-groups/{id}/", **answers(GroupDocument))
    async def group(
        group_id: PathId, query: FromQuery[GroupQuery], principal: Authenticated, reading: ReadingDep
    ) -> Response: ...

    @router.post("/v1/individual-groups/", **answers(GroupDocument, 201))
    async def create_group(body: CreateGroup, principal: Authenticated, identity: IdentityDep, …) -> Response: ...

`answers(document, status)` declares the answer: `answers(None, 201)` is `null`, `answers(None, 204)` has no body. Its
flags declare an operation that differs from others:

    reads=True       a POST that only reads: it honours X-At-Least-Position
    secret=True      takes or issues secrets outside of `execute`: it ignores Idempotency-Key. Its answer has a secret
                     that nothing else shows, so it should need nothing from the database after the commit
    extension=True   is not in the contract
    waits=False      never answers 503 because something is not readable yet, as other operations may
    max_body=…       accepts small bodies only
    for_anonymous_sessions=True  accepts sessions of calls through anonymous accesses, which all others refuse
    throttle=…       limits its calls (see `api.edge.throttles`)
    body=…, kind=…   takes or answers something other than a JSON document (see `api.edge.kinds`)

Every command without `secret=True` calls its domain command through `execute` (see `api.edge.execution`).

The order of refusals (ruling A10): 404 and 405 by the application → 401 → 406 → 415 → 413 → 400 path and query → 400
body → 409 type and id, 403 client id → 429 of the throttle → the endpoint, whose command or read first checks the
permission: 404 and 403. FastAPI reads bodies before dependencies and dependencies before validation, so this class uses
its analysis of the signature only, not its handler. An endpoint may declare: the ids in the path, one query model, one
body model, the principal, and dependencies that take only the request.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.postgres.outages import retry_if_lost
from api.documents.common import Errors
from api.edge.bodies import MAX_BODY, Body, read_body
from api.edge.caller import CALLER, PRINCIPAL, authenticate, caller, report_permission_refusals
from api.edge.envelope import MEDIA_TYPE
from api.edge.execution import answered_as_recorded, is_carried_out
from api.edge.idempotency import HEADER as IDEMPOTENCY_KEY
from api.edge.idempotency import Sent, answered_once, idempotency_key
from api.edge.kinds import AnswerKind, BodyKind
from api.edge.middleware import REQUEST_ID
from api.edge.negotiation import check_accept, check_content_type
from api.edge.operations import ResourceRouter
from api.edge.preferences import PREFER_PARAMETER
from api.edge.reading import AT_LEAST, at_least
from api.edge.refusals import refusal_for
from api.edge.signature import Endpoint, Signature
from api.edge.throttles import RouteThrottle
from api.edge.uploads import received
from api.services import services_of
from domain.core.audited import AuditContext, audited_as
from domain.core.decisions import deciding
from domain.core.errors import DecisionOutdated, DomainError, NotFound
from domain.core.idempotency import Recording
from domain.core.principal import Principal

FLAGS = "x-rollbook-flags"
NO_CONTENT = 204
MAX_DECISIONS = 10
"""Attempts of one command, each because a right ended during the attempt before. Then it is refused as unavailable."""
MAX_READ_AT_ONCE = 16 * 1024
"""Bytes of a body that is parsed in the event loop."""
METHODS_WITH_BODY = frozenset({"POST", "PATCH", "PUT"})


@dataclass(frozen=True)
class Flags:
    """The flags of an operation that `answers` declares."""

    reads: bool = False
    secret: bool = False
    extension: bool = False
    max_body: int = MAX_BODY
    throttle: RouteThrottle | None = None
    body: BodyKind = BodyKind.JSON
    kind: AnswerKind = AnswerKind.DOCUMENT
    for_anonymous_sessions: bool = False


def answers(
    document: Any,
    status: int = 200,
    *,
    reads: bool = False,
    secret: bool = False,
    extension: bool = False,
    waits: bool = True,
    max_body: int = MAX_BODY,
    throttle: RouteThrottle | None = None,
    body: BodyKind = BodyKind.JSON,
    kind: AnswerKind = AnswerKind.DOCUMENT,
    for_anonymous_sessions: bool = False,
) -> dict[str, Any]:
    """Return the arguments of a route's decorator: its answer, its refusals and its flags. See the module."""
    refused = {"model": Errors}
    responses: dict[int | str, dict[str, Any]] = {"4XX": {"description": "Refused", **refused}}
    if waits:
        responses[503] = {"description": "Not readable yet", **refused}
    if kind is AnswerKind.PAGE:
        responses[status] = {"content": {"text/html": {"schema": {"type": "string"}}}}
    elif document is None and status != NO_CONTENT:
        responses[status] = {"content": {MEDIA_TYPE: {"schema": {"type": "null"}}}}
    return {
        "status_code": status,
        "response_model": document,
        "response_description": "Done",
        "responses": responses,
        "openapi_extra": {
            FLAGS: Flags(reads, secret, extension, max_body, throttle, body, kind, for_anonymous_sessions)
        },
    }


class DocumentResponse(JSONResponse):
    """Declares the media type of answers for FastAPI."""

    media_type = MEDIA_TYPE


class ContractRoute(APIRoute):
    """The route of an operation of the contract. See the module."""

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        extra = dict(options.pop("openapi_extra", None) or {})
        self.flags: Flags = extra.pop(FLAGS, Flags())
        super().__init__(path, endpoint, openapi_extra=extra, **options)
        assert self.methods
        self.reads = self.flags.reads or self.methods == {"GET"}
        self.commands = not self.reads and not self.flags.secret
        self.answered = self.status_code or 200
        self.resource_type = resource_type(self.response_model)
        self.signature = Signature(self, form=self.flags.body is BodyKind.FORM)
        self.remembers = self.methods == {"POST"} and self.commands and not self.anonymous
        extra["security"] = [] if self.anonymous else [{"bearer": []}]
        names = [AT_LEAST] if self.reads else [IDEMPOTENCY_KEY] if self.remembers else []
        headers: list[dict[str, Any]] = [{"name": name, "in": "header", "schema": {"type": "string"}} for name in names]
        if self.commands:
            headers.append(PREFER_PARAMETER)
        if headers:
            extra["parameters"] = headers
        if self.flags.extension:
            extra["x-extension"] = True

    @property
    def anonymous(self) -> bool:
        """Return whether the operation needs no token."""
        return not (self.signature.principal_name or self.signature.looks_up_session)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that replaces FastAPI's."""
        return self.answer

    async def answer(self, request: Request) -> Response:
        """Return the answer, or the refusal in the form that callers of this operation expect."""
        try:
            return await self._answer(request)
        except (DomainError, psycopg.OperationalError) as error:
            return refusal_for(request, error, self.flags.body, self.flags.kind)

    async def _answer(self, request: Request) -> Response:
        if not self.signature.looks_up_session:
            return await self._answer_as(request, None if self.anonymous else await authenticate(request))
        # refusals of the token and the session come first, even though the endpoint looks up the session
        await caller(request)
        if not is_small(request.headers):
            await authenticate(request)
        try:
            return await self._answer_as(request, None)
        except DomainError:
            if PRINCIPAL not in request.scope:
                await authenticate(request)
            raise

    async def _answer_as(self, request: Request, principal: Principal | None) -> Response:
        """Check the headers, read the body, and return the answer. Raises the refusals of both in their order."""
        check_accept(request.headers, self.flags.kind)
        if request.method not in METHODS_WITH_BODY:
            return await self._answer_sent(request, principal, Body(b"", waited=False))
        check_content_type(request.headers, self.flags.body)
        if self.flags.body is BodyKind.STREAM:
            async with received(request, self.flags.max_body) as upload:
                return await self._answer_sent(request, principal, Body(upload.digest, waited=True))
        return await self._answer_sent(request, principal, await read_body(request, self.flags.max_body))

    async def _answer_sent(self, request: Request, principal: Principal | None, sent: Body) -> Response:
        """Check the parameters and the body, and return the answer. For a stream, `sent` has its digest."""
        if sent.waited:  # a slow body must not extend the life of a token or session (ruling O7)
            request.scope.pop(CALLER, None)
            principal = principal and await authenticate(request)
        arguments = self.signature.read_parameters(request)
        if self.reads:
            at_least(request)
        key = idempotency_key(request) if principal and self.remembers else None
        if request.method in METHODS_WITH_BODY and self.flags.body is not BodyKind.STREAM:
            arguments |= await self._read_body(request, sent.content)
        request_id = request.scope.get(REQUEST_ID)
        context = AuditContext(correlation=request_id) if principal is None else principal.audit_context(request_id)
        throttle = self.flags.throttle
        with audited_as(context), report_permission_refusals(request):
            async with nullcontext() if throttle is None else throttle.bound(services_of(request), arguments):
                if self.reads or (principal is None and not self.commands):
                    return await self._carry_out(request, arguments, principal)
                once = None
                if principal is not None and key is not None:
                    once = Sent(principal.user_id, key, sent.content, self.answered)
                return await self._carry_out_recorded(request, arguments, principal, once)

    async def _read_body(self, request: Request, sent: bytes) -> dict[str, Any]:
        """Parse the body: a large one in a thread, so that it does not delay other requests (ruling O8)."""
        if len(sent) <= MAX_READ_AT_ONCE:
            return self.signature.read_body(request, sent)
        return await asyncio.to_thread(self.signature.read_body, request, sent)

    async def _carry_out_recorded(
        self, request: Request, arguments: dict[str, Any], principal: Principal | None, once: Sent | None
    ) -> Response:
        """Carry out a command, only once under one Idempotency-Key. Failures after its commit are answered as such."""

        async def carry_out(recording: Recording) -> Response:
            async def attempt() -> Response:
                return await self._carry_out(request, arguments, principal)

            if once is None:
                return await attempt()
            return await answered_once(services_of(request).answers, request, once, recording, attempt)

        return await answered_as_recorded(carry_out, self.answered, self.resource_type)

    async def _carry_out(self, request: Request, arguments: dict[str, Any], principal: Principal | None) -> Response:
        """Return the answer. Authenticate again and retry if a right ended before the command was recorded (O7)."""
        if principal is None or self.reads:
            return await self._carry_out_as(request, arguments, principal)
        for _ in range(MAX_DECISIONS - 1):
            with suppress(DecisionOutdated), deciding(principal.decision()):
                return await self._carry_out_as(request, arguments, principal)
            principal = await authenticate(request)
        with deciding(principal.decision()):
            return await self._carry_out_as(request, arguments, principal)

    async def _carry_out_as(self, request: Request, arguments: dict[str, Any], principal: Principal | None) -> Response:
        signature = self.signature
        try:
            if principal is not None:
                arguments[signature.principal_name] = principal
            for name, dependency in signature.dependencies:
                arguments[name] = await dependency(request)
            return await self._call_endpoint(arguments)
        except DomainError as error:
            signature.locate(error)
            if not isinstance(error, NotFound):
                raise
            not_found = error
            if not_found.parameter is not_found.pointer is None and "id" in request.path_params:
                not_found.parameter = "id"  # the id in the path was not found (ruling D12)
            raise

    async def _call_endpoint(self, arguments: dict[str, Any]) -> Response:
        """Call the endpoint, again if a read or the answer to a command loses its database connection (O26)."""
        call = partial(self.signature.endpoint, **arguments)
        return await (retry_if_lost(call) if self.reads else retry_if_lost(call, is_carried_out))


def is_small(headers: Headers) -> bool:
    """Return whether Content-Length announces a body so small that reading it costs less than a query."""
    announced = headers.get("content-length", "")
    return announced.isdecimal() and int(announced) <= MAX_READ_AT_ONCE


def resource_type(document: Any) -> str | None:
    """Return the type of the resource in a document of one resource; None for other documents."""
    data = getattr(document, "model_fields", {}).get("data")
    kind = getattr(getattr(data, "annotation", None), "model_fields", {}).get("type")
    return None if kind is None else kind.default


def contract_router(tag: str, description: str = "") -> ResourceRouter:
    """Return a router of contract routes. The OpenAPI document shows the tag and the description of the resource.

    A further router of a resource has no description.
    """
    return ResourceRouter(tag, description, route_class=ContractRoute, default_response_class=DocumentResponse)
