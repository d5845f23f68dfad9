"""/v1/user-replications/: which services hold a copy of a user."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.caller import ServiceOnly, SystemOrService
from api.deps import AccessDep, IdentityDep, ReadingDep
from api.documents.user_replications import (
    CreateUserReplication,
    UserReplicationAttributes,
    UserReplicationDocument,
    UserReplicationList,
    UserReplicationListQuery,
    UserReplicationResource,
)
from api.reading import single
from api.route import answers, contract_router
from domain.users import UserNotFound
from projections import user_replications
from projections.user_replications import UserReplicationRow

router = contract_router("user-replications")
MODEL = user_replications.UserReplicationsProjection.name


@router.get("/v1/user-replications/", **answers(UserReplicationList))
async def list_user_replications(
    query: Annotated[UserReplicationListQuery, Query()], caller: SystemOrService, access: AccessDep, reading: ReadingDep
) -> Response:
    """Services that a user is replicated to, oldest first."""
    if not await access.readable_users(caller.user_id, [query.user_id]):
        raise UserNotFound(parameter="user-id")
    async with reading(MODEL) as read:
        rows, total = await user_replications.user_replications(
            read.cursor, query.user_id, limit=query.page_limit, offset=query.page_offset
        )
        return read.listing(UserReplicationList, [resource(row) for row in rows], query, total)


@router.post("/v1/user-replications/", **answers(UserReplicationDocument, 201))
async def create_user_replication(
    body: CreateUserReplication,
    caller: ServiceOnly,  # noqa: ARG001 - the signature is the permission
    identity: IdentityDep,
    reading: ReadingDep,
) -> Response:
    """Mark a user as replicated to a service."""
    mark, position = await identity.user_replications.create(body.attributes.user_id, body.attributes.service)
    await reading.shown(MODEL, after=position)
    row = UserReplicationRow(mark.id, mark.user_id, mark.service, mark.modified_on)
    return single(UserReplicationDocument, resource(row), position, 201)


def resource(row: UserReplicationRow) -> UserReplicationResource:
    """A mark as the contract shows it."""
    attributes = UserReplicationAttributes(created_time=row.created_at, service=row.service, user_id=row.user_id)
    return UserReplicationResource(attributes=attributes, id=row.replication_id)
