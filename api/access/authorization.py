"""/v1/authz-*: what users may do, which things they may do it to, and who may do it (semantics 6)."""

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
"""Whose answers are rendered in one go: each may have asked 50 questions."""


@router.post("/v1/authz-resource-access/", **answers(documents.ResourceAccessAnswer, 201, reads=True))
async def check(body: documents.ResourceAccess, caller: CallerDep, access: AccessDep, reading: ReadingDep) -> Response:
    """Whether the user passes all queries."""
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
    """For each user in order one row, or one for each query: all from one snapshot."""
    asked = body.multi_user_ids
    require_own(principal, *asked.user_ids)
    queries = [sent.query for sent in asked.access_query]
    decided = await reading.at_once(lambda: access.decided_for_all(asked.user_ids, queries))
    texts = [sent.text for sent in asked.access_query]
    rows: list[dict[str, Any]] = []
    async for some in InTurns(zip(asked.user_ids, decided.allowed, strict=True), FEW_USERS):
        rows += [
            {"access-query": asked_queries, "allow": allow, "user-id": user_id}
            for user_id, allowed in some
            for asked_queries, allow in answered(texts, allowed, individually=asked.individually)
        ]
    return answer({"access-queries": rows}, 201, position=decided.position)


@router.post("/v1/authz-get-accessible-resources/", **answers(documents.ResourceIds, 201, reads=True))
async def accessible_resources(
    body: documents.AccessibleResources, principal: Authenticated, reading: ReadingDep, indexing: IndexingDep
) -> Response:
    """The resources that make all queries true, by id."""
    require_one_type(body.access_query)
    require_own(principal, body.user_id)
    queries = [sent.query for sent in body.access_query]

    async def respond(read: Read) -> Response:
        sees = await viewer(read.cursor, principal.user_id)
        found = await accessible(
            read.cursor, body.user_id, queries, slice_of(body), body.organization_id, sees, indexing.index()
        )
        return page(read, body, found, 201)

    return await reading.read((), respond)


@router.get("/v1/authz-individuals/", **answers(documents.ResourceIds))
async def list_individuals(
    query: FromQuery[documents.AccessibleIndividualsQuery],
    principal: Authenticated,
    reading: ReadingDep,
    indexing: IndexingDep,
) -> Response:
    """The individuals that the user may read or write, of those that the filters let through, by id."""
    require_own(principal, query.user_id)
    filters = filters_of(query)

    async def respond(read: Read) -> Response:
        found = await accessible_individuals(
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
        return page(read, query, found)

    return await reading.read([READ_MODEL] if filters.owner else [], respond)


@router.get("/v1/authz-resource-accessors/", **answers(documents.AccessorList))
async def list_accessors(
    query: FromQuery[documents.AccessorsQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """The users who may do it to all of the resources, by id; for an administrator those of their organization."""

    async def respond(read: Read) -> Response:
        await require_asking_for_accessors(read, principal, query.organization_id)
        found = await accessors(
            read.cursor,
            query.resource_type,
            query.resource_id,
            query.operation,
            slice_of(query),
            organization_id=query.organization_id,
        )
        meta = read.meta(query.page_limit, query.page_offset, found.total)
        return read.answer({"data": [{"id": user_id} for user_id in found.ids], "meta": meta})

    return await reading.read((), respond)


@router.get("/v1/authz-user-status/{id}/", **answers(documents.AccessStatusDocument))
async def user_status(user_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """When the user's access was last touched, and up to when this service has applied what happened."""
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
    """Raise Forbidden when others than system administrators and services ask about other users (ruling G1)."""
    if not principal.unlimited and any(user_id != principal.user_id for user_id in user_ids):
        raise Forbidden


def require_one_type(queries: Sequence[documents.SentQuery]) -> None:
    """Raise InvalidAccessQuery when queries without an id ask for things of several types."""
    types = [sent.query.resource_type for sent in queries if sent.query.resource_id is None]
    for place, sent in enumerate(queries):
        if sent.query.resource_id is None and sent.query.resource_type != types[0]:
            raise InvalidAccessQuery(
                "Queries without an id should all be of one type.", argument=f"access_query/{place}"
            )


async def require_asking_for_accessors(read: Read, principal: Principal, organization_id: UUID | None) -> None:
    """Raise Forbidden to all but those who administer the organization, and to those who name none (ruling G11)."""
    if principal.unlimited:
        return
    if organization_id is None:
        raise Forbidden
    if not await permitted(read.cursor, principal.user_id, "organization", "write", [organization_id]):
        raise Forbidden


def answered(texts: list[str], decisions: list[bool], *, individually: bool) -> list[tuple[list[str], bool]]:
    """What one user's rows say: each query's answer, or that of all of them."""
    if individually:
        return [([text], allow) for text, allow in zip(texts, decisions, strict=True)]
    return [(texts, all(decisions))]


def filters_of(query: documents.AccessibleIndividualsQuery) -> IndividualFilter:
    """The filters as the engine takes them."""
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


def slice_of(asked: RequestedPage) -> Slice:
    """The page that was asked for."""
    return Slice(asked.page_limit, asked.page_offset)


def page(read: Read, asked: RequestedPage, found: Ids, status: int = 200) -> Response:
    """A page of ids. Written without their model, which takes longer than finding them."""
    meta = read.meta(asked.page_limit, asked.page_offset, found.total)
    return read.answer({"meta": meta, "resource-ids": found.ids}, status)
