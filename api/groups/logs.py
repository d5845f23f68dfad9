"""/v1/individual-group-logs/: the log of people added to and removed from groups (semantics 5, rulings E9 and F6)."""

from starlette.responses import Response

from api.documents.groups import logs as documents
from api.edge.caller import Authenticated
from api.edge.deps import FromQuery, ReadingDep
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from domain.core.errors import Forbidden, NotFound
from domain.core.principal import Principal
from projections.core.visibility import permitted, viewer
from projections.groups import logs as group_logs
from projections.groups.logs import GroupLogRow

router = contract_router("individual-group-logs", "Who was added to groups and removed from them.")
MODELS = ("group_logs", "users")


@router.get("/v1/individual-group-logs/", **answers(documents.GroupLogList))
async def list_group_logs(
    query: FromQuery[documents.GroupLogQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return changes of rosters, the newest first."""

    async def respond(read: Read) -> Response:
        caller = await viewer(read.cursor, principal.user_id)
        if caller.participant:
            raise Forbidden
        await _require_permitted_filters(read, principal, query)
        rows, total = await group_logs.page(
            read.cursor,
            caller,
            group_id=query.individual_group_id,
            individual_ids=list(filter(None, (query.individual_id, query.also_individual_id))),
            organization_id=query.organization_id,
            **query.page,
        )
        return read.listing(documents.GroupLogList, [_resource(row) for row in rows], query, total)

    return await reading.read(MODELS, respond)


REQUIRED_RIGHTS = {
    "individual_group_id": ("group", "read"),
    "individual_id": ("individual", "read"),
    "also_individual_id": ("individual", "read"),
    "organization_id": ("organization", "write"),
}
"""The right that the caller needs on the resource in each argument."""


async def _require_permitted_filters(read: Read, principal: Principal, query: documents.GroupLogQuery) -> None:
    """Raise NotFound for the first argument with a resource on which the caller lacks the right."""
    for argument, (resource_type, operation) in REQUIRED_RIGHTS.items():
        resource_id = getattr(query, argument)
        if resource_id and not await permitted(read.cursor, principal.user_id, resource_type, operation, [resource_id]):
            raise NotFound(argument=argument)


def _resource(row: GroupLogRow) -> documents.GroupLogResource:
    author = None if row.created_by is None else documents.GroupLogAuthor.model_construct(id=row.created_by)
    attributes = documents.GroupLogAttributes.of(
        row, created_by=author, created_time=row.created_at, individual_group_id=row.group_id
    )
    return documents.GroupLogResource.model_construct(
        id=row.log_id, attributes=attributes, type="individual-group-logs"
    )
