"""/v1/internal-auth/ and /v2/internal-auth/: access tokens for service accounts."""

from typing import Any

from starlette.responses import Response

from api.documents.sessions import internal_auth as documents
from api.edge.bodies import MAX_CREDENTIALS_BODY
from api.edge.deps import IdentityDep, ReviewerDep, SignerDep
from api.edge.envelope import answer
from api.edge.route import answers, contract_router
from api.edge.throttles import FailureThrottle
from domain.core.errors import Unauthenticated
from domain.sessions.commands import SignedIn
from domain.sessions.service_accounts import ServiceName

router = contract_router("internal-auth", "Access tokens for service accounts.")

FAILURES = FailureThrottle(
    "internal-auth-failures", lambda settings: settings.service_failures_address, 15 * 60, "service-account-refused"
)


def hands_out(document: Any) -> dict[str, Any]:
    """Arguments of a route that hands out tokens as the document."""
    return answers(document, 201, secret=True, waits=False, max_body=MAX_CREDENTIALS_BODY, throttle=FAILURES)


@router.post("/v1/internal-auth/", **hands_out(documents.InternalAuthAnswer))
async def internal_auth(
    body: documents.InternalAuth, identity: IdentityDep, reviewer: ReviewerDep, signer: SignerDep
) -> Response:
    """Issue an access token to a service account that sends the hash of one of its tokens."""
    named = ServiceName(body.namespace, body.sa_name)
    account = require_account(await reviewer.by_hash(named, body.sa_token_sha512.get_secret_value()))
    signed_in = await identity.sessions.open_for_service(account.user_id)
    document = documents.InternalAuthAnswer(
        access_token=_access_token(signer, signed_in),
        expires_in=signed_in.session.access_seconds,
        user_id=account.user_id,
        username=str(account),
    )
    return answer(document, 201)


@router.post("/v2/internal-auth/", **hands_out(documents.InternalAuthDocument))
async def internal_auth_v2(
    body: documents.InternalAuthV2, identity: IdentityDep, reviewer: ReviewerDep, signer: SignerDep
) -> Response:
    """Issue an access token to the service account to which the sent token belongs."""
    account = require_account(await reviewer.by_token(body.attributes.token.get_secret_value()))
    signed_in = await identity.sessions.open_for_service(account.user_id)
    attributes = documents.InternalAuthAttributes(access_token=_access_token(signer, signed_in))
    resource = documents.InternalAuthResource(attributes=attributes, id=signed_in.session.id)
    return answer(documents.InternalAuthDocument(data=resource), 201)


def require_account(account: ServiceName | None) -> ServiceName:
    """Return the account. Raises Unauthenticated, which gives no reason, for None."""
    if account is None:
        raise Unauthenticated
    return account


def _access_token(signer: SignerDep, signed_in: SignedIn) -> str:
    session = signed_in.session
    return signer.access_token(signed_in.user.id, session.id, session.organization_id, signed_in.access_until)
