"""/v1/impersonation-requests/: staff act as a user, to see what the user sees."""

from uuid import UUID

from starlette.responses import Response

from api.documents.sessions import impersonation_requests as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, PathId, ReadingDep, SignerDep
from api.edge.envelope import answer
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from api.sessions.tokens import login_tokens
from domain.core.principal import Principal
from domain.sessions.impersonation_requests import ImpersonationRequestNotFound, request_state
from projections.people.users import UsersProjection
from projections.sessions import impersonation_requests
from projections.sessions.impersonation_requests import ImpersonationRequestFilter, ImpersonationRequestRow

router = contract_router("impersonation-requests", "Sessions in which staff act as a user.")
MODEL = UsersProjection.name
"""Shows the users' addresses."""


@router.get("/v1/impersonation-requests/", **answers(documents.ImpersonationRequestList))
async def list_impersonation_requests(
    query: FromQuery[documents.ImpersonationRequestListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return the requests of all staff, the newest first."""
    principal.require_staff()

    async def respond(read: Read) -> Response:
        rows = await impersonation_requests.impersonation_requests(
            read.cursor, ImpersonationRequestFilter(query.created_by, query.user_email, query.user_id)
        )
        return read.listing(documents.ImpersonationRequestList, [resource(row) for row in rows])

    return await reading.read((MODEL,), respond)


@router.post("/v1/impersonation-requests/", **answers(documents.ImpersonationRequestDocument, 201))
async def create_impersonation_request(
    body: documents.CreateImpersonationRequest,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Ask to act as a user. The request is approved at once and can be used for a day."""
    outcome = await execute(identity.impersonation_requests.create(principal, body.attributes.user_id))

    async def respond(read: Read) -> Response:
        return await _shown(read, principal, outcome.made, outcome.status)

    return await reading.read_after(outcome, (MODEL,), respond)


@router.get("/v1/impersonation-requests/{id}/", **answers(documents.ImpersonationRequestDocument))
async def get_impersonation_request(request_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return one request."""

    async def respond(read: Read) -> Response:
        return await _shown(read, principal, request_id)

    return await reading.read((MODEL,), respond)


@router.post(
    "/v1/impersonation-requests/{id}/impersonate/",
    **answers(documents.ImpersonationTokens, 201, secret=True, waits=False),
)
async def impersonation_request_impersonate(
    request_id: PathId,
    principal: Authenticated,
    identity: IdentityDep,
    signer: SignerDep,
    body: documents.Impersonate | None = None,
) -> Response:
    """Open a session as the user. It ends with the caller's own session at the latest."""
    lifetimes = body or documents.Impersonate()
    signed_in, position = await identity.impersonation_requests.impersonate(
        principal,
        request_id,
        access_seconds=lifetimes.access_token_expiration_seconds,
        refresh_seconds=lifetimes.refresh_token_expiration_seconds,
    )
    return answer(documents.ImpersonationTokens(**login_tokens(signer, signed_in)), 201, position=position)


async def _shown(read: Read, principal: Principal, request_id: UUID, status: int = 200) -> Response:
    row = await impersonation_requests.impersonation_request(read.cursor, request_id)
    if row is None or not principal.staff:
        raise ImpersonationRequestNotFound
    return read.single(documents.ImpersonationRequestDocument, resource(row), status)


def resource(row: ImpersonationRequestRow) -> documents.ImpersonationRequestResource:
    """Return the request as a resource of the contract."""
    attributes = documents.ImpersonationRequestAttributes.model_construct(
        created_at=row.created_at,
        created_by=row.created_by,
        state=request_state(row.created_at, used=row.used),
        user=documents.UserRef.model_construct(email=row.email, id=row.user_id),
    )
    return documents.ImpersonationRequestResource.model_construct(attributes=attributes, id=row.request_id)
