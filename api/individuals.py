"""/v1/individuals/: who owns an individual and with whom it is shared."""

from uuid import UUID

from starlette.responses import Response

from api.caller import MayReadIndividual, ServiceOnly, Signed
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
from api.reading import single
from api.route import answers, contract_router
from domain.individuals import Individual, IndividualNotFound
from domain.ports import AccessQuery
from projections import individuals
from projections.access_checks import decide

router = contract_router("individuals")
SHOWN_IN = ("users", "groups", "group_logs")
"""The read models in which a share, or its end, is seen beside the individual itself."""


@router.post("/v1/individuals/", **answers(IndividualDocument, 201))
async def create_individual(
    body: CreateIndividual, _: ServiceOnly, identity: IdentityDep, reading: ReadingDep
) -> Response:
    """Register the owner of an individual, a user or an organization."""
    individual, position = await identity.individuals.create(body.attributes.individual_id, body.attributes.owner_id)
    if individual.owner_type == "user":  # users show what they own
        await reading.shown("users", after=position)
    return _recorded(individual, position)


@router.get("/v1/individuals/{id}/", **answers(IndividualDocument))
async def get_individual(individual_id: PathId, caller: MayReadIndividual, reading: ReadingDep) -> Response:
    """Its owner; for those who may write it also with whom it is shared."""
    async with reading() as read:
        owner_id = await individuals.owner_of(read.cursor, individual_id)
        if owner_id is None:
            raise IndividualNotFound
        shares = None
        if all(await decide(read.cursor, caller.user_id, [AccessQuery("individual", individual_id, "write")])):
            rows = await individuals.shares_of(read.cursor, individual_id)
            shares = [IndividualShare(type=row.type, id=row.id, operation=row.operation) for row in rows]
        return read.single(IndividualDocument, _resource(individual_id, owner_id, shares))


@router.post("/v1/individuals/{id}/share/", **answers(IndividualDocument, 201, extension=True))
async def share_individual(
    individual_id: PathId, body: ShareIndividual, caller: Signed, identity: IdentityDep, reading: ReadingDep
) -> Response:
    """Share it with an organization, or with a user for reading or writing."""
    individual, position = await identity.individuals.share(
        individual_id, body.with_.type, body.with_.id, body.operation, caller_id=caller.user_id
    )
    await reading.shown(*SHOWN_IN, after=position)
    return _recorded(individual, position)


@router.post("/v1/individuals/{id}/unshare/", **answers(IndividualDocument, 201, extension=True))
async def unshare_individual(
    individual_id: PathId, body: UnshareIndividual, caller: Signed, identity: IdentityDep, reading: ReadingDep
) -> Response:
    """End a share; an organization's groups lose the individual with it."""
    individual, position = await identity.individuals.unshare(
        individual_id, body.with_.type, body.with_.id, caller_id=caller.user_id
    )
    await reading.shown(*SHOWN_IN, after=position)
    return _recorded(individual, position)


def _recorded(individual: Individual, position: int) -> Response:
    """As the command left it: whoever decides about an individual may write it, so he is shown everything."""
    organizations = [{"type": "organization", "id": each} for each in sorted(individual.organizations)]
    users = [{"type": "user", "id": each, "operation": individual.users[each]} for each in sorted(individual.users)]
    shares = [IndividualShare.model_validate(each) for each in (*organizations, *users)]
    return single(IndividualDocument, _resource(individual.id, individual.owner_id, shares), position, 201)


def _resource(individual_id: UUID, owner_id: UUID, shares: list[IndividualShare] | None) -> IndividualResource:
    attributes = IndividualAttributes.model_construct(owner_id=owner_id, shared_with=shares)
    return IndividualResource.model_construct(attributes=attributes, id=individual_id, type="individuals")
