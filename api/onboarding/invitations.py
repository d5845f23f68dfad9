"""/v1/resend-invitation/: people who wait for an invitation, or lost it, ask for it again (rulings K1, K9 and K94)."""

from starlette.responses import Response

from api.documents.onboarding import invitations as documents
from api.edge.bodies import MAX_CREDENTIALS_BODY
from api.edge.caller import KnownCaller
from api.edge.deps import IdentityDep, ReadingDep
from api.edge.envelope import answer
from api.edge.even_times import evenly
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from api.edge.throttles import Arguments, code_requests
from domain.application import Identity
from domain.core.audited import AUDIT_CONTEXT, audited_as
from domain.core.decisions import deciding
from domain.core.errors import Forbidden, NotFound
from domain.core.principal import Principal
from domain.onboarding.requests import OnboardingRequestOpen
from domain.people.login_names import parse_login_name
from projections.onboarding import request_lists
from projections.onboarding.request_lists import RequestRow

router = contract_router("resend-invitation", "Sending an invitation again, for the invited person.")


def typed_name(arguments: Arguments) -> str:
    """Return the name in the body."""
    body: documents.ResendInvitation = arguments["body"]
    return body.name


@router.post(
    "/v1/resend-invitation/",
    **answers(
        documents.InvitationResent,
        201,
        secret=True,
        waits=False,
        max_body=MAX_CREDENTIALS_BODY,
        throttle=code_requests("resend-invitation", typed_name),
    ),
)
async def resend_invitation(
    body: documents.ResendInvitation, caller: KnownCaller, identity: IdentityDep, reading: ReadingDep
) -> Response:
    """Send the last open invitation of a person again. The answer is the same whether or not there is one.

    `new-email` counts only for a caller who may change the request; everybody else gets it sent to the known contacts.
    """

    async def respond(read: Read) -> RequestRow | None:
        rows = await request_lists.named(read.cursor, parse_login_name(body.name), claimed=False)
        return rows[0] if rows else None

    async def send() -> None:
        row = await reading.read((), respond)
        if not await _changed(identity, caller, row, body.new_email):
            await identity.request_changes.send_again(None if row is None else row.request_id, body.notifications)

    await evenly(send())
    return answer(documents.InvitationResent(signup_request_id=identity.request_changes.receipt(body.name)), 201)


async def _changed(identity: Identity, caller: Principal | None, row: RequestRow | None, email: str | None) -> bool:
    """Return whether the caller may change the address of the request, and has (ruling K1)."""
    if caller is None or row is None or email is None:
        return False
    with audited_as(caller.audit_context(AUDIT_CONTEXT.get().correlation)), deciding(caller.decision()):
        try:
            await identity.request_changes.change_email(caller, row.request_id, email)
        except (NotFound, Forbidden):
            return False
        except OnboardingRequestOpen as refused:
            refused.argument = "new_email"
            raise
    return True
