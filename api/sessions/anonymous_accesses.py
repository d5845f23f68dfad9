"""/v1/anonymous-accesses/: links by which people without an account call other services."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from starlette.responses import Response

from api.documents.sessions import anonymous_accesses as documents
from api.edge.bodies import MAX_PUBLIC_BODY
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep, PathId, ReadingDep
from api.edge.envelope import answer
from api.edge.reading import Read, single
from api.edge.route import answers, contract_router
from api.edge.throttles import LOOKUP_MISSES
from domain.sessions.anonymous_accesses import AllowedEndpoint, AnonymousAccess
from domain.sessions.anonymous_calls import ProxiedCall

router = contract_router("anonymous-accesses", "Links by which people without an account call other services.")


@router.post("/v1/anonymous-accesses/", **answers(documents.AnonymousAccessDocument, 201))
async def create_anonymous_access(
    body: documents.CreateAnonymousAccess, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Allow whoever knows the id of the access to call endpoints of other services as a participant."""
    asked = body.attributes
    outcome = await execute(
        identity.anonymous_accesses.create(
            principal, asked.user_id, asked.expired_at, endpoints_of(asked.allowed_endpoints)
        )
    )
    access = await identity.anonymous_accesses.find(principal, outcome.made)
    return single(documents.AnonymousAccessDocument, resource(outcome.made, access), outcome.position, outcome.status)


@router.get("/v1/anonymous-accesses/{id}/", **answers(documents.AnonymousAccessDocument))
async def get_anonymous_access(
    access_id: PathId, principal: Authenticated, identity: IdentityDep, reading: ReadingDep
) -> Response:
    """Return an access."""

    async def respond(read: Read) -> Response:
        access = await identity.anonymous_accesses.find(principal, access_id)
        return read.single(documents.AnonymousAccessDocument, resource(access_id, access))

    return await reading.read((), respond)


@router.patch("/v1/anonymous-accesses/{id}/", **answers(documents.AnonymousAccessDocument))
async def update_anonymous_access(
    access_id: PathId,
    body: documents.UpdateAnonymousAccess,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
) -> Response:
    """Change the endpoints or the end of an access. An end in the past revokes it at once."""
    asked = body.attributes
    endpoints = None if asked.allowed_endpoints is None else endpoints_of(asked.allowed_endpoints)
    outcome = await execute(
        identity.anonymous_accesses.change(
            principal, access_id, expired_at=asked.expired_at, allowed_endpoints=endpoints
        ),
        about=access_id,
    )
    access = await identity.anonymous_accesses.find(principal, access_id)
    return single(documents.AnonymousAccessDocument, resource(access_id, access), outcome.position, outcome.status)


@router.post(
    "/v1/anonymous-accesses/{id}/proxy/",
    **answers(
        documents.ProxyResult,
        201,
        secret=True,
        waits=False,
        max_body=MAX_PUBLIC_BODY,
        throttle=LOOKUP_MISSES,
    ),
)
async def anonymous_access_proxy(access_id: PathId, body: documents.CallToProxy, identity: IdentityDep) -> Response:
    """Call an endpoint of another service through an access. The status of that service is data of the answer."""
    call = ProxiedCall(body.service, body.path, body.method, body.query, body.json_)
    proxied = await identity.anonymous_accesses.call(access_id, call)
    received = None if proxied.json is None else orjson.Fragment(proxied.json)
    return answer({"status-code": proxied.status, "json": received}, 201)


def endpoints_of(endpoints: Sequence[documents.EndpointToAllow]) -> list[AllowedEndpoint]:
    """Return the endpoints that the request names."""
    return [AllowedEndpoint(each.service, each.path, each.method) for each in endpoints]


def resource(access_id: UUID, access: AnonymousAccess) -> documents.AnonymousAccessResource:
    """Return the access as a resource of the contract."""
    attributes = documents.AnonymousAccessAttributes(
        allowed_endpoints=[documents.AllowedEndpointAttributes.of(each) for each in access.allowed_endpoints],
        created_at=access.created_on,
        expired_at=access.expired_at,
        last_modified_at=access.modified_on,
        user_id=access.user_id,
    )
    return documents.AnonymousAccessResource(attributes=attributes, id=access_id)
