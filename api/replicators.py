"""/v1/replicators/: the followers of the log and their positions, read at the time of the request (ruling I1)."""

from starlette.responses import Response

from api.documents.replicators import ReplicatorAttributes, ReplicatorDocument, ReplicatorList, ReplicatorResource
from api.edge.caller import Authenticated
from api.edge.deps import PathId, ReadingDep
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from domain.core.errors import NotFound
from projections.core import replicators
from projections.core.replicators import Replicator

router = contract_router("replicators", "The projections and reactions that follow the log, and how far they are.")


@router.get("/v1/replicators/", **answers(ReplicatorList))
async def list_replicators(principal: Authenticated, reading: ReadingDep) -> Response:
    """Return all projections and reactions, by class path."""
    principal.require_reads_all()

    async def respond(read: Read) -> Response:
        rows = await replicators.replicators(read.cursor.connection)
        return read.listing(ReplicatorList, [resource(row) for row in rows])

    return await reading.read((), respond)


@router.get("/v1/replicators/{id}/", **answers(ReplicatorDocument))
async def get_replicator(replicator_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return one projection or reaction."""
    principal.require_reads_all()

    async def respond(read: Read) -> Response:
        row = await replicators.replicator(read.cursor.connection, replicator_id)
        if row is None:
            raise NotFound
        return read.single(ReplicatorDocument, resource(row))

    return await reading.read((), respond)


def resource(row: Replicator) -> ReplicatorResource:
    """Return the follower as a resource of the contract, with the extensions of this service."""
    attributes = ReplicatorAttributes.of(row, created_time=row.created_at, last_poll_time=row.last_poll_at)
    return ReplicatorResource.model_construct(id=row.id, attributes=attributes, type="replicators")
