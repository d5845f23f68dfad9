"""/v1/registration-invitations/: addresses of people whom an organization expects to sign up."""

from collections.abc import Iterable
from uuid import UUID

from starlette.responses import Response

from api.documents.onboarding import registration_invitations as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep, PathId, ReadingDep
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from domain.core.errors import Forbidden, NotFound
from domain.core.principal import Principal
from projections.core.visibility import viewer
from projections.onboarding import registration_invitations
from projections.onboarding.registration_invitations import InvitationRow

router = contract_router("registration-invitations", "Addresses of people who are expected to sign up.")


@router.get("/v1/registration-invitations/", **answers(documents.RegistrationInvitationList))
async def list_registration_invitations(caller: Authenticated, reading: ReadingDep) -> Response:
    """Return the invitations of the organizations that the caller administers, the newest first."""

    async def respond(read: Read) -> Response:
        organization_ids = await administered(read, caller)
        if organization_ids is not None and not organization_ids:
            raise Forbidden
        rows = await registration_invitations.page(read.cursor, organization_ids)
        return read.listing(documents.RegistrationInvitationList, [resource(row) for row in rows])

    return await reading.read((), respond)


@router.post("/v1/registration-invitations/", **answers(documents.RegistrationInvitationDocument, 201))
async def create_registration_invitation(
    body: documents.CreateRegistrationInvitation,
    caller: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Invite an address to the current organization, unless it has an invitation already."""
    outcome = await execute(identity.registration_invitations.create(caller, body.attributes.invited_email))

    async def respond(read: Read) -> Response:
        return await shown(read, caller, outcome.made, outcome.status)

    return await reading.read_after(outcome, (), respond)


@router.get("/v1/registration-invitations/{id}/", **answers(documents.RegistrationInvitationDocument))
async def get_registration_invitation(invitation_id: PathId, caller: Authenticated, reading: ReadingDep) -> Response:
    """Return one invitation."""

    async def respond(read: Read) -> Response:
        return await shown(read, caller, invitation_id, 200)

    return await reading.read((), respond)


async def administered(read: Read, caller: Principal) -> Iterable[UUID] | None:
    """Return the organizations that the caller administers; None for a system administrator: all of them."""
    return None if caller.system else (await viewer(read.cursor, caller.user_id)).administers


async def shown(read: Read, caller: Principal, invitation_id: UUID, status: int) -> Response:
    """Return an answer with one invitation. Raises NotFound, also for one that the caller may not read."""
    row = await registration_invitations.one(read.cursor, await administered(read, caller), invitation_id)
    if row is None:
        raise NotFound
    return read.single(documents.RegistrationInvitationDocument, resource(row), status)


def resource(row: InvitationRow) -> documents.RegistrationInvitationResource:
    """Return the resource of a row."""
    attributes = documents.RegistrationInvitationAttributes.model_construct(
        claimed_time=row.claimed_at,
        created_by=row.created_by,
        created_time=row.created_at,
        invited_email=row.invited_email,
    )
    return documents.RegistrationInvitationResource.model_construct(attributes=attributes, id=row.id)
