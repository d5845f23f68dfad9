"""/v1/users/{id}/change-password/: the own password with the old one, or that of another user as support."""

from starlette.responses import Response

from adapters.security.client_address import CLIENT_ADDRESS
from api.documents.people.user_changes import ChangePassword
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep, PathId
from api.edge.envelope import answer
from api.edge.route import answers, contract_router

router = contract_router("users")


@router.post("/v1/users/{id}/change-password/", **answers(None, 201))
async def change_user_password(
    user_id: PathId, body: ChangePassword, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Change the caller's password, or as staff require another user to reset theirs."""
    commands, new, keep = identity.password_changes, body.new_password.get_secret_value(), body.maintain_active_sessions
    if body.old_password is None:
        command = commands.require_reset(principal, user_id, new, keep_sessions=keep)
    else:
        old = body.old_password.get_secret_value()
        command = commands.change_own(principal, user_id, old, new, CLIENT_ADDRESS.get(), keep_sessions=keep)
    outcome = await execute(command, about=user_id)
    return answer(None, outcome.status, position=outcome.position)
