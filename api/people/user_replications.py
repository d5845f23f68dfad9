"""/v1/user-replications/: which services hold a copy of a user."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from api.documents.people.user_replications import (
    CreateUserReplication,
    UserReplicationAttributes,
    UserReplicationDocument,
    UserReplicationList,
    UserReplicationListQuery,
    UserReplicationResource,
)
from api.edge.caller import ServiceOnly, SystemOrService
from api.edge.deps import AccessDep, ExecuteDep, ReadingDep, ServicesDep
from api.edge.reading import single
from api.edge.route import answers, contract_router
from domain.core.errors import Forbidden
from domain.core.ports import Access
from domain.core.principal import Principal
from domain.people.user_replications import UserReplication
from domain.people.users import UserNotFound
from projections.people import user_replications
from projections.people.user_replications import UserReplicationRow

router = contract_router("user-replications")
MODEL = user_replications.UserReplicationsProjection.name


@router.get("/v1/user-replications/", **answers(UserReplicationList))
async def list_user_replications(
    query: Annotated[UserReplicationListQuery, Query()], caller: SystemOrService, access: AccessDep, reading: ReadingDep
) -> Response:
    """Services that a user is replicated to, oldest first."""
    await refuse_unreadable(access, caller, query.user_id)
    async with reading(MODEL) as read:
        rows, total = await user_replications.user_replications(
            read.cursor, query.user_id, limit=query.page_limit, offset=query.page_offset
        )
        return read.listing(UserReplicationList, [resource(row) for row in rows], query, total)


@router.post("/v1/user-replications/", **answers(UserReplicationDocument, 201))
async def create_user_replication(
    body: CreateUserReplication,
    caller: ServiceOnly,
    services: ServicesDep,
    execute: ExecuteDep,
) -> Response:
    """Mark a user as replicated to a service."""
    commands = services.identity.user_replications
    outcome = await execute(commands.create(body.attributes.user_id, body.attributes.service))
    if outcome.repeated:
        await refuse_unreadable(services.access, caller, body.attributes.user_id)
    mark = await services.identity.store.get(UserReplication, outcome.made)
    row = UserReplicationRow(mark.id, mark.user_id, mark.service, mark.modified_on)
    return single(UserReplicationDocument, resource(row), outcome.position, outcome.status)


async def refuse_unreadable(access: Access, caller: Principal, user_id: UUID) -> None:
    """Raises Forbidden to others than services and system administrators, UserNotFound when they may not read him."""
    if not caller.unlimited:
        raise Forbidden
    if not await access.readable_users(caller.user_id, [user_id]):
        raise UserNotFound(parameter="user-id")


def resource(row: UserReplicationRow) -> UserReplicationResource:
    """A mark as the contract shows it."""
    attributes = UserReplicationAttributes(created_time=row.created_at, service=row.service, user_id=row.user_id)
    return UserReplicationResource(attributes=attributes, id=row.replication_id)
