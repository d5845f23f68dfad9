"""/v1/onboarding-requests/claim/: people who have an account enter the organization that invited them."""

from starlette.responses import Response

from api.documents.onboarding.claims import ClaimOnboardingRequest
from api.documents.onboarding.requests import OnboardingRequestDocument
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep
from api.edge.reading import single
from api.edge.route import answers, contract_router
from api.edge.throttles import LOOKUP_MISSES
from api.onboarding.rendering import resource
from domain.core.errors import NotFound
from domain.onboarding.requests import OnboardingRequest
from projections.onboarding.request_lists import RequestRow

router = contract_router("onboarding-claims", "Claims of invitations by people who have an account.")


@router.post(
    "/v1/onboarding-requests/claim/",
    **answers(OnboardingRequestDocument, 201, extension=True, throttle=LOOKUP_MISSES),
)
async def claim_onboarding_request(
    body: ClaimOnboardingRequest, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Claim the request that invited the caller, with its referral code."""
    outcome = await execute(identity.claims.claim(principal, body.referral_code.get_secret_value()))
    request = await identity.store.get(OnboardingRequest, outcome.made)
    if request.claimed_by != principal.user_id:
        raise NotFound
    return single(OnboardingRequestDocument, resource(RequestRow.of(request)), outcome.position, outcome.status)
