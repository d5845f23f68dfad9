"""/v1/individuals/: who owns an individual and with whom it is shared."""

from uuid import UUID

from starlette.responses import Response

from api.caller import Caller, MayReadIndividual, ServiceOnly, Signed
from api.deps import IdentityDep, PathId, ReadingDep
from api.documents.individuals import (
    CreateIndividual,
    IndividualAttributes,
    IndividualDocument,
    IndividualResource,
    IndividualShare,
    ShareIndividual,
    UnshareIndividual,
)
from api.reading import Read
from api.route import answers, contract_router
from domain.individuals import IndividualNotFound
from domain.ports import AccessQuery
from projections import individuals
from projections.access_checks import decide

router = contract_router("individuals")


@router.post("/v1/individuals/", **answers(IndividualDocument, 201))
async def create_individual(
    body: CreateIndividual, caller: ServiceOnly, identity: IdentityDep, reading: ReadingDep
) -> Response:
    """Register the owner of an individual, a user or an organization."""
    individual_id = body.attributes.individual_id
    _, position = await identity.individuals.create(individual_id, body.attributes.owner_id)
    async with reading(after=position) as read:
        return await _shown(read, caller, individual_id, 201)


@router.get("/v1/individuals/{id}/", **answers(IndividualDocument))
async def get_individual(individual_id: PathId, caller: MayReadIndividual, reading: ReadingDep) -> Response:
    """Its owner; for those who may write it also with whom it is shared."""
    async with reading() as read:
        return await _shown(read, caller, individual_id, 200)


@router.post("/v1/individuals/{id}/share/", **answers(IndividualDocument, 201, extension=True))
async def share_individual(
    individual_id: PathId,
    body: ShareIndividual,
    caller: Signed,
    identity: IdentityDep,
    reading: ReadingDep,
) -> Response:
    """Share it with an organization, or with a user for reading or writing."""
    _, position = await identity.individuals.share(
        individual_id, body.with_.type, body.with_.id, body.operation, caller_id=caller.user_id
    )
    async with reading(after=position) as read:
        return await _shown(read, caller, individual_id, 201)


@router.post("/v1/individuals/{id}/unshare/", **answers(IndividualDocument, 201, extension=True))
async def unshare_individual(
    individual_id: PathId,
    body: UnshareIndividual,
    caller: Signed,
    identity: IdentityDep,
    reading: ReadingDep,
) -> Response:
    """End a share; an organization's groups lose the individual with it."""
    _, position = await identity.individuals.unshare(
        individual_id, body.with_.type, body.with_.id, caller_id=caller.user_id
    )
    async with reading(after=position) as read:
        return await _shown(read, caller, individual_id, 201)


async def _shown(read: Read, caller: Caller, individual_id: UUID, status: int) -> Response:
    owner_id = await individuals.owner_of(read.cursor, individual_id)
    if owner_id is None:
        raise IndividualNotFound
    shares = None
    if all(await decide(read.cursor, caller.user_id, [AccessQuery("individual", individual_id, "write")])):
        rows = await individuals.shares_of(read.cursor, individual_id)
        shares = [IndividualShare(type=row.type, id=row.id, operation=row.operation) for row in rows]
    attributes = IndividualAttributes(owner_id=owner_id, shared_with=shares)
    return read.single(IndividualDocument, IndividualResource(attributes=attributes, id=individual_id), status)
