"""Service accounts getting in: /v1/internal-auth/ and /v2/internal-auth/."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.responses import Response

from adapters.security.client_address import CLIENT_ADDRESS
from adapters.security.throttle import Counter, Limit
from adapters.security_log import report
from api.documents.sessions.internal_auth import (
    InternalAuth,
    InternalAuthAnswer,
    InternalAuthAttributes,
    InternalAuthDocument,
    InternalAuthResource,
    InternalAuthV2,
)
from api.edge.bodies import MAX_CREDENTIALS_BODY
from api.edge.deps import IdentityDep, ReviewerDep, ServicesDep, SignerDep
from api.edge.envelope import answer
from api.edge.route import answers, contract_router
from api.services import Services
from domain.core.errors import Unauthenticated
from domain.sessions.commands import SignedIn
from domain.sessions.service_accounts import ServiceName

router = contract_router("internal-auth", "Access tokens for service accounts.")

FAILURE_SECONDS = 15 * 60


@router.post(
    "/v1/internal-auth/", **answers(InternalAuthAnswer, 201, secret=True, waits=False, max_body=MAX_CREDENTIALS_BODY)
)
async def internal_auth(
    body: InternalAuth, identity: IdentityDep, reviewer: ReviewerDep, signer: SignerDep, services: ServicesDep
) -> Response:
    """An access token for a service account that knows the hash of one of its tokens."""
    named = ServiceName(body.namespace, body.sa_name)
    async with proof(services):
        account = proven(await reviewer.by_hash(named, body.sa_token_sha512.get_secret_value()))
        signed_in = await identity.sessions.open_for_service(account.user_id)
    shown = InternalAuthAnswer(
        access_token=_access_token(signer, signed_in),
        expires_in=signed_in.session.access_seconds,
        user_id=account.user_id,
        username=str(account),
    )
    return answer(shown, 201)


@router.post(
    "/v2/internal-auth/", **answers(InternalAuthDocument, 201, secret=True, waits=False, max_body=MAX_CREDENTIALS_BODY)
)
async def internal_auth_v2(
    body: InternalAuthV2, identity: IdentityDep, reviewer: ReviewerDep, signer: SignerDep, services: ServicesDep
) -> Response:
    """An access token for the service account whose token it is."""
    async with proof(services):
        account = proven(await reviewer.by_token(body.attributes.token.get_secret_value()))
        signed_in = await identity.sessions.open_for_service(account.user_id)
    attributes = InternalAuthAttributes(access_token=_access_token(signer, signed_in))
    resource = InternalAuthResource(attributes=attributes, id=signed_in.session.id)
    return answer(InternalAuthDocument(data=resource), 201)


@asynccontextmanager
async def proof(services: Services) -> AsyncIterator[None]:
    """Counts Unauthenticated, raised inside, as a failure of the caller's address. Raises TooMany (ruling O14)."""
    address = CLIENT_ADDRESS.get()
    limit = Limit("internal-auth-failures", services.settings.service_failures_address, FAILURE_SECONDS)
    failures = Counter(limit, address)
    taken = await services.throttle.take(failures)
    try:
        yield
    except Unauthenticated:
        report("service-account-refused", address=address)
        raise
    except BaseException:
        await taken.give_back(failures)
        raise
    await taken.give_back(failures)


def proven(account: ServiceName | None) -> ServiceName:
    """The account. Raises Unauthenticated, which says nothing of why."""
    if account is None:
        raise Unauthenticated
    return account


def _access_token(signer: SignerDep, signed_in: SignedIn) -> str:
    session = signed_in.session
    return signer.access_token(signed_in.user.id, session.id, session.organization_id, signed_in.access_until)
