"""/v1/forgot-password/ and /v1/confirm-forgot-password/: people who forgot their password set a new one."""

from starlette.responses import Response

from api.documents.people import codes as documents
from api.edge.bodies import MAX_CREDENTIALS_BODY
from api.edge.deps import ExecuteDep, IdentityDep, ServicesDep, SignerDep
from api.edge.envelope import answer
from api.edge.even_times import evenly
from api.edge.route import answers, contract_router
from api.people.code_operations import CODE_FAILURES, clear_failures, log_in_after, sends_codes
from domain.people.users import User

router = contract_router("password-resets", "Setting a forgotten password with a code.")


@router.post("/v1/forgot-password/", **sends_codes("forgot-password"))
async def forgot_password(body: documents.AskForCode, identity: IdentityDep) -> Response:
    """Send a code to a verified contact of the user, if there is one; the answer is always the same."""
    await evenly(identity.password_resets.request(body.username, body.source))
    return answer(documents.CodeAsked(), 201)


@router.post(
    "/v1/confirm-forgot-password/",
    **answers(
        documents.PasswordReset | documents.PasswordResetWithLogin,
        201,
        max_body=MAX_CREDENTIALS_BODY,
        throttle=CODE_FAILURES,
    ),
)
async def confirm_forgot_password(
    body: documents.ConfirmForgotPassword,
    identity: IdentityDep,
    execute: ExecuteDep,
    signer: SignerDep,
    services: ServicesDep,
) -> Response:
    """Set a new password with a code, and end all sessions of the user."""
    outcome = await execute(
        identity.password_resets.reset(
            body.username, body.confirmation_code.get_secret_value(), body.password.get_secret_value(), body.source
        )
    )
    user = await identity.store.get(User, outcome.made)
    await clear_failures(services, user)
    tokens, refused = await log_in_after(identity, signer, user, outcome, wanted=body.login)
    if tokens is None:
        return answer(documents.PasswordReset(login_error=refused), 201, position=outcome.position)
    return answer(documents.PasswordResetWithLogin(**tokens), 201, position=outcome.position)
