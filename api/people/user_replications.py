"""/v1/user-replications/: the services that have a copy of a user."""

from starlette.responses import Response

from api.documents.people import user_replications as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, PermissionsDep, ReadingDep
from api.edge.reading import Read, single
from api.edge.route import answers, contract_router
from domain.people.user_replications import UserReplication
from projections.people import user_replications
from projections.people.user_replications import UserReplicationRow

router = contract_router("user-replications", "Changes of users, for applications that keep copies.")
MODEL = user_replications.UserReplicationsProjection.name


@router.get("/v1/user-replications/", **answers(documents.UserReplicationList))
async def list_user_replications(
    query: FromQuery[documents.UserReplicationListQuery],
    principal: Authenticated,
    permissions: PermissionsDep,
    reading: ReadingDep,
) -> Response:
    """Return the services that a user is replicated to, the oldest replication first."""
    principal.require_unlimited()
    await permissions.require_readable_user(principal, query.user_id, argument="user_id")

    async def respond(read: Read) -> Response:
        rows, total = await user_replications.user_replications(read.cursor, query.user_id, **query.page)
        return read.listing(documents.UserReplicationList, [resource(row) for row in rows], query, total)

    return await reading.read((MODEL,), respond)


@router.post("/v1/user-replications/", **answers(documents.UserReplicationDocument, 201))
async def create_user_replication(
    body: documents.CreateUserReplication, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Record that a user is replicated to a service."""
    user_id, service = body.attributes.user_id, body.attributes.service
    outcome = await execute(identity.user_replications.create(principal, user_id, service))
    if outcome.repeated:
        principal.require_unlimited()
        await identity.permissions.require_readable_user(principal, user_id)
    replication = await identity.store.get(UserReplication, outcome.made)
    row = UserReplicationRow(replication.id, replication.user_id, replication.service, replication.modified_on)
    return single(documents.UserReplicationDocument, resource(row), outcome.position, outcome.status)


def resource(row: UserReplicationRow) -> documents.UserReplicationResource:
    """Return the replication as a resource of the contract."""
    attributes = documents.UserReplicationAttributes(
        created_time=row.created_at, service=row.service, user_id=row.user_id
    )
    return documents.UserReplicationResource(attributes=attributes, id=row.replication_id)
