"""/v1/onboarding-texts/: what delivery services report of the messages that invite people."""

from starlette.responses import Response

from api.documents.onboarding.invitation_reports import TextStatusAnswer, UpdateTextStatus
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep, PathId
from api.edge.envelope import answer
from api.edge.route import answers, contract_router

router = contract_router("onboarding-texts", "Messages that invite people.")


@router.post("/v1/onboarding-texts/{id}/update-status/", **answers(TextStatusAnswer, 201))
async def update_text_status(
    message_id: PathId, body: UpdateTextStatus, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Record what happened to a message. A status that does not count changes nothing."""
    reported = body.attributes
    command = identity.invitation_reports.record(principal, message_id, reported.known, reported.error)
    outcome = await execute(command, about=message_id)
    return answer(TextStatusAnswer(), outcome.status, position=outcome.position)
