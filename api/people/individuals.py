"""/v1/individuals/: individuals, their owners and their shares."""

from uuid import UUID

from starlette.responses import Response

from api.documents.people import individuals as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep, PathId, ReadingDep
from api.edge.execution import Outcome
from api.edge.reading import Read, single
from api.edge.route import answers, contract_router
from domain.core.principal import Principal
from domain.people.individuals import IndividualNotFound
from projections.core.visibility import permitted, viewer
from projections.people import individuals

router = contract_router("individuals", "People who are cared for, and with whom they are shared.")


@router.post("/v1/individuals/", **answers(documents.IndividualDocument, 201))
async def create_individual(
    body: documents.CreateIndividual,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Register an individual with its owner, a user or an organization."""
    individual_id, owner_id = body.attributes.individual_id, body.attributes.owner_id
    outcome = await execute(identity.individuals.create(principal, individual_id, owner_id), about=individual_id)
    if outcome.recorded_at is None:
        return await _recorded(reading, principal, outcome)
    # a new individual has no shares, and a service account may read all of it
    return single(
        documents.IndividualDocument, _resource(individual_id, owner_id, []), outcome.position, outcome.status
    )


@router.get("/v1/individuals/{id}/", **answers(documents.IndividualDocument))
async def get_individual(individual_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return an individual with its owner; for callers who may write it, with the shares they may see (ruling O9)."""

    async def respond(read: Read) -> Response:
        return await _shown(read, principal, individual_id, 200)

    return await reading.read((), respond)


@router.post("/v1/individuals/{id}/share/", **answers(documents.IndividualDocument, 201, extension=True))
async def share_individual(
    individual_id: PathId,
    body: documents.ShareIndividual,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Share an individual with an organization, or with a user for reading or writing."""
    party = body.with_
    command = identity.individuals.share(principal, individual_id, party.type, party.id, body.operation)
    return await _recorded(reading, principal, await execute(command, about=individual_id))


@router.post("/v1/individuals/{id}/unshare/", **answers(documents.IndividualDocument, 201, extension=True))
async def unshare_individual(
    individual_id: PathId,
    body: documents.UnshareIndividual,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """End a share. If it was with an organization, remove the individual from the organization's groups."""
    command = identity.individuals.unshare(principal, individual_id, body.with_.type, body.with_.id)
    return await _recorded(reading, principal, await execute(command, about=individual_id))


async def _recorded(reading: ReadingDep, principal: Principal, outcome: Outcome) -> Response:
    """Return the individual as the caller may read it after the command."""

    async def respond(read: Read) -> Response:
        return await _shown(read, principal, outcome.made, outcome.status)

    return await reading.read_after(outcome, (), respond)


async def _shown(read: Read, principal: Principal, individual_id: UUID, status: int) -> Response:
    """Return the document. Raises IndividualNotFound when the caller may not read the individual."""
    owner_id = await individuals.owner_of(read.cursor, individual_id)
    if owner_id is None or not await _permitted(read, principal, "read", individual_id):
        raise IndividualNotFound
    shares = None
    if await _permitted(read, principal, "write", individual_id):
        caller = await viewer(read.cursor, principal.user_id)
        rows = await individuals.shares_of(read.cursor, individual_id, caller)
        shares = [documents.IndividualShare(type=row.type, id=row.id, operation=row.operation) for row in rows]
    return read.single(documents.IndividualDocument, _resource(individual_id, owner_id, shares), status)


async def _permitted(read: Read, principal: Principal, operation: str, individual_id: UUID) -> bool:
    return bool(await permitted(read.cursor, principal.user_id, "individual", operation, [individual_id]))


def _resource(
    individual_id: UUID, owner_id: UUID, shares: list[documents.IndividualShare] | None
) -> documents.IndividualResource:
    attributes = documents.IndividualAttributes.model_construct(owner_id=owner_id, shared_with=shares)
    return documents.IndividualResource.model_construct(attributes=attributes, id=individual_id, type="individuals")
