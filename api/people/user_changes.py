"""Changes of users: PATCH /v1/users/{id}/, change-email and confirm-phone."""

from dataclasses import replace

from starlette.responses import Response

from api.documents.people import user_changes as documents
from api.documents.people.users import UserDocument
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep, PathId
from api.edge.envelope import answer
from api.edge.route import answers, contract_router
from api.edge.throttles import LOOKUP_MISSES, Arguments, ThrottleOfSome
from api.people.rendering import ShowUserDep
from domain.people.user_changes import CONTACTS
from domain.people.users import IdentifierTaken

router = contract_router("users")

KNOWN_CONTACTS = replace(LOOKUP_MISSES, counted=IdentifierTaken)
"""Counts answers that tell of an address or a number that somebody has it, together with look-ups of codes (K67)."""


def names_contact(arguments: Arguments) -> bool:
    """Return whether a PATCH gives the user an address or a number, which somebody else may have."""
    changes = arguments["body"].attributes.changes()
    return any(changes.get(kind) is not None for kind in CONTACTS)


@router.patch("/v1/users/{id}/", **answers(UserDocument, throttle=ThrottleOfSome(KNOWN_CONTACTS, names_contact)))
async def update_user(
    user_id: PathId,
    body: documents.UpdateUser,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    show: ShowUserDep,
) -> Response:
    """Change the attributes that were sent. A code is sent to a new e-mail address or phone number."""
    command = identity.user_changes.change(principal, user_id, body.attributes.changes())
    return await show(principal, await execute(command, about=user_id))


@router.post("/v1/users/{id}/change-email/", **answers(None, 201, throttle=KNOWN_CONTACTS))
async def change_user_email(
    user_id: PathId, body: documents.ChangeEmail, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Replace the e-mail address; a code is sent to the new one."""
    outcome = await execute(identity.user_changes.change(principal, user_id, body.given()), about=user_id)
    return answer(None, outcome.status, position=outcome.position)


@router.post("/v1/users/{id}/confirm-phone/", **answers(None, 201))
async def confirm_user_phone(
    user_id: PathId, body: documents.ConfirmPhone, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Verify the phone number of a user, as staff or as a service that vouches for it."""
    outcome = await execute(identity.user_changes.confirm_phone(principal, user_id, body.phone_number), about=user_id)
    return answer(None, outcome.status, position=outcome.position)
