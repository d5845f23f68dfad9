"""/v1/confirm-sign-up/ and /v1/resend-confirmation/: people prove their contacts with codes."""

from typing import Any

from starlette.responses import Response

from api.documents.people import codes as documents
from api.edge.bodies import MAX_CREDENTIALS_BODY
from api.edge.deps import ExecuteDep, IdentityDep, ServicesDep, SignerDep
from api.edge.envelope import answer
from api.edge.even_times import evenly
from api.edge.route import answers, contract_router
from api.people.code_operations import CODE_FAILURES, clear_failures, log_in_after, sends_codes
from domain.people.users import User

router = contract_router("confirmations", "Codes by which people confirm their accounts and contacts.")


@router.post(
    "/v1/confirm-sign-up/",
    **answers(
        documents.SignUpConfirmation | documents.SignUpConfirmationWithLogin,
        201,
        max_body=MAX_CREDENTIALS_BODY,
        throttle=CODE_FAILURES,
    ),
)
async def confirm_sign_up(
    body: documents.ConfirmSignUp, identity: IdentityDep, execute: ExecuteDep, signer: SignerDep, services: ServicesDep
) -> Response:
    """Confirm a user who has signed up, or verify a contact that has changed."""
    outcome = await execute(
        identity.confirmations.confirm(body.username, body.confirmation_code.get_secret_value(), tz=body.tz)
    )
    user = await identity.store.get(User, outcome.made)
    await clear_failures(services, user)
    members: dict[str, Any] = {"account_type": "provider" if user.organizations else "patient"}
    tokens, refused = await log_in_after(identity, signer, user, outcome, wanted=body.login)
    if tokens is None:
        return answer(documents.SignUpConfirmation(login_error=refused, **members), 201, position=outcome.position)
    return answer(documents.SignUpConfirmationWithLogin(**tokens, **members), 201, position=outcome.position)


@router.post("/v1/resend-confirmation/", **sends_codes("resend-confirmation"))
async def resend_confirmation(body: documents.AskForCode, identity: IdentityDep) -> Response:
    """Send another code, if the user has a contact that is not verified; the answer is always the same."""
    await evenly(identity.confirmations.resend(body.username, body.source))
    return answer(documents.CodeAsked(), 201)
