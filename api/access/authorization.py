"""/v1/authz-*: what users may do, with which resources, and which users may do it (semantics 6)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from starlette.responses import Response

from api.documents.access import authorization as documents
from api.edge.caller import Authenticated, CallerDep
from api.edge.deps import AccessDep, FromQuery, IndexingDep, PathId, ReadingDep
from api.edge.envelope import answer
from api.edge.reading import Read, RequestedPage
from api.edge.route import answers, contract_router
from domain.access.queries import InvalidAccessQuery
from domain.core.errors import Forbidden
from domain.core.principal import Principal
from domain.core.turns import InTurns
from domain.people.users import UserNotFound
from projections.access.accessors import accessors
from projections.access.checks import Decided
from projections.access.filters import READ_MODEL, IndividualFilter
from projections.access.lists import accessible
from projections.access.pages import Ids, Slice
from projections.access.readable_individuals import accessible_individuals
from projections.access.status import access_status
from projections.core.visibility import permitted, viewer

router = contract_router("authorization", "What users may do with resources, and which users may do it.")

FEW_USERS = 20
"""Users whose answers are rendered without a pause; each may have 50 queries."""


@router.post("/v1/authz-resource-access/", **answers(documents.ResourceAccessAnswer, 201, reads=True))
async def check(body: documents.ResourceAccess, caller: CallerDep, access: AccessDep, reading: ReadingDep) -> Response:
    """Return whether the user passes all queries."""
    queries = [sent.query for sent in body.access_query]

    async def ask() -> Decided:
        decided = await access.decided(body.user_id, queries, caller.session_id)
        require_own(caller.principal(decided.session), body.user_id)
        return decided

    decided = await reading.at_once(ask)
    return answer({"allow": all(decided.allowed)}, 201, position=decided.position)


@router.post("/v1/bulk-authz-resource-access/", **answers(documents.BulkResourceAccessAnswer, 201, reads=True))
async def check_many(
    body: documents.BulkResourceAccess, principal: Authenticated, access: AccessDep, reading: ReadingDep
) -> Response:
    """Return one row for each user in their order, or one for each user and query, all from one snapshot."""
    request = body.multi_user_ids
    require_own(principal, *request.user_ids)
    queries = [sent.query for sent in request.access_query]
    decided = await reading.at_once(lambda: access.decided_for_all(request.user_ids, queries))
    texts = [sent.text for sent in request.access_query]
    rows: list[dict[str, Any]] = []
    async for batch in InTurns(zip(request.user_ids, decided.allowed, strict=True), FEW_USERS):
        rows += [
            {"access-query": row_queries, "allow": allow, "user-id": user_id}
            for user_id, allowed in batch
            for row_queries, allow in rows_of(texts, allowed, individually=request.individually)
        ]
    return answer({"access-queries": rows}, 201, position=decided.position)


@router.post("/v1/authz-get-accessible-resources/", **answers(documents.ResourceIds, 201, reads=True))
async def accessible_resources(
    body: documents.AccessibleResources, principal: Authenticated, reading: ReadingDep, indexing: IndexingDep
) -> Response:
    """Return the resources for which the user passes all queries, by id."""
    require_one_type(body.access_query)
    require_own(principal, body.user_id)
    queries = [sent.query for sent in body.access_query]

    async def respond(read: Read) -> Response:
        caller = await viewer(read.cursor, principal.user_id)
        ids = await accessible(
            read.cursor, body.user_id, queries, slice_of(body), body.organization_id, caller, indexing.index()
        )
        return page(read, body, ids, 201)

    return await reading.read((), respond)


@router.get("/v1/authz-individuals/", **answers(documents.ResourceIds))
async def list_individuals(
    query: FromQuery[documents.IndividualsQuery], principal: Authenticated, reading: ReadingDep, indexing: IndexingDep
) -> Response:
    """Return the individuals that match the filters and that the user may read or write, by id."""
    require_own(principal, query.user_id)
    filters = filters_of(query)

    async def respond(read: Read) -> Response:
        ids = await accessible_individuals(
            read.cursor,
            query.user_id,
            query.operation,
            slice_of(query),
            organization_id=query.organization_id,
            filters=filters,
            viewer=await viewer(read.cursor, principal.user_id),
            index=indexing.index(),
            limits=indexing.limits,
        )
        return page(read, query, ids)

    return await reading.read([READ_MODEL] if filters.owner else [], respond)


@router.get("/v1/authz-resource-accessors/", **answers(documents.AccessorList))
async def list_accessors(
    query: FromQuery[documents.AccessorsQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return the users who may do the operation on all of the resources, by id.

    An administrator gets the users of their organization.
    """

    async def respond(read: Read) -> Response:
        await require_asking_for_accessors(read, principal, query.organization_id)
        users = await accessors(
            read.cursor,
            query.resource_type,
            query.resource_id,
            query.operation,
            slice_of(query),
            organization_id=query.organization_id,
        )
        meta = read.meta(query.page_limit, query.page_offset, users.total)
        return read.answer({"data": [{"id": user_id} for user_id in users.ids], "meta": meta})

    return await reading.read((), respond)


@router.get("/v1/authz-user-status/{id}/", **answers(documents.AccessStatusDocument))
async def user_status(user_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return when the user's access last changed, and up to when the service has applied all changes."""
    if user_id != principal.user_id and not principal.unlimited:
        raise UserNotFound

    async def respond(read: Read) -> Response:
        status = await access_status(read.cursor, user_id)
        if status is None:
            raise UserNotFound
        attributes = documents.AccessStatusAttributes(
            last_populated_at=status.last_populated_at,
            latest_event_at=status.latest_event_at,
            up_to_date=status.up_to_date,
        )
        return read.single(
            documents.AccessStatusDocument, documents.AccessStatusResource(attributes=attributes, id=user_id)
        )

    return await reading.read((), respond)


def require_own(principal: Principal, *user_ids: UUID) -> None:
    """Raise Forbidden for other users, except to system administrators and services (ruling G1)."""
    if not principal.unlimited and any(user_id != principal.user_id for user_id in user_ids):
        raise Forbidden


def require_one_type(queries: Sequence[documents.SentQuery]) -> None:
    """Raise InvalidAccessQuery when queries without an id have several resource types."""
    types = [sent.query.resource_type for sent in queries if sent.query.resource_id is None]
    for index, sent in enumerate(queries):
        if sent.query.resource_id is None and sent.query.resource_type != types[0]:
            raise InvalidAccessQuery(
                "All queries without an id must have the same type.", argument=f"access_query/{index}"
            )


async def require_asking_for_accessors(read: Read, principal: Principal, organization_id: UUID | None) -> None:
    """Raise Forbidden unless the principal is unlimited or administers the given organization (ruling G11)."""
    if principal.unlimited:
        return
    if organization_id is None:
        raise Forbidden
    if not await permitted(read.cursor, principal.user_id, "organization", "write", [organization_id]):
        raise Forbidden


def rows_of(texts: list[str], decisions: list[bool], *, individually: bool) -> list[tuple[list[str], bool]]:
    """Return the queries and the answer of each row of a user: one row for each query, or one for all of them."""
    if individually:
        return [([text], allow) for text, allow in zip(texts, decisions, strict=True)]
    return [(texts, all(decisions))]


def filters_of(query: documents.IndividualsQuery) -> IndividualFilter:
    """Return the filters in the form of the authorization engine."""
    owner = {
        "account_type": query.account_type,
        "birth_date": query.birth_date,
        "email": query.email,
        "email_verified": query.email_verified,
        "first_name": query.first_name,
        "last_name": query.last_name,
        "phone": query.phone,
        "phone_verified": query.phone_verified,
        "registered": query.registered,
    }
    return IndividualFilter(
        group_id=query.group_id,
        leader_id=query.leader_id,
        exclude_owner_ids=query.exclude_owner_ids,
        owner={name: value for name, value in owner.items() if value is not None},
    )


def slice_of(requested: RequestedPage) -> Slice:
    """Return the slice of the requested page."""
    return Slice(requested.page_limit, requested.page_offset)


def page(read: Read, requested: RequestedPage, ids: Ids, status: int = 200) -> Response:
    """Return a page of ids, without the model of the answer: it would take longer than finding the ids."""
    meta = read.meta(requested.page_limit, requested.page_offset, ids.total)
    return read.answer({"meta": meta, "resource-ids": ids.ids}, status)
