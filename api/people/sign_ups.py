"""/v1/sign-up/: people create an account with the code of an organization, or with that of an invitation."""

from dataclasses import replace

from starlette.responses import Response

from adapters.security.client_address import CLIENT_ADDRESS
from api.documents.people.sign_ups import SignUpAnswer, SignUpRequest
from api.edge.bodies import MAX_PUBLIC_BODY
from api.edge.deps import ExecuteDep, IdentityDep
from api.edge.envelope import answer
from api.edge.route import answers, contract_router
from api.edge.throttles import LOOKUP_MISSES, BothThrottles, CallThrottle
from domain.onboarding.referral_sign_ups import InvalidReferralCode, ReferralSignUp
from domain.onboarding.requests import OnboardingRequest
from domain.people.sign_ups import InvalidOrganizationCode

router = contract_router("sign-ups", "Accounts that people create themselves, with a code.")

HOUR = 3600
SIGN_UPS = CallThrottle("sign-ups", lambda settings: settings.sign_ups_address, HOUR, lambda _: CLIENT_ADDRESS.get())
"""Counts all sign-ups of an address that pass the checks of the syntax, whatever comes of them (ruling K22)."""
INVALID_CODES = replace(LOOKUP_MISSES, counted=(InvalidReferralCode, InvalidOrganizationCode))
"""Counts invalid codes together with other look-ups that find nothing (ruling K23)."""


@router.post(
    "/v1/sign-up/",
    **answers(SignUpAnswer, 201, max_body=MAX_PUBLIC_BODY, throttle=BothThrottles(SIGN_UPS, INVALID_CODES)),
)
async def sign_up(body: SignUpRequest, identity: IdentityDep, execute: ExecuteDep) -> Response:
    """Create an account, or give an invited person one; a confirmation code is sent to a contact."""
    if body.referral_code is None:
        outcome = await execute(identity.sign_ups.with_organization_code(body.registration()))
        return answer(SignUpAnswer(account_type="patient"), 201, position=outcome.position)
    given = ReferralSignUp(
        body.referral_code.get_secret_value(),
        body.username,
        body.password.get_secret_value(),
        login_contact=body.set_username,
        source=body.source,
        locale=body.locale,
        tz=body.tz,
        agreements=body.service_document_agreements or (),
    )
    outcome = await execute(identity.referral_sign_ups.sign_up(given))
    request = await identity.store.get(OnboardingRequest, outcome.made)
    return answer(SignUpAnswer(account_type=request.onboard_type), 201, position=outcome.position)
