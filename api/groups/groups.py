"""/v1/individual-groups/ and /v2/individual-groups/: groups, their rosters and their moves (semantics 5)."""

from starlette.responses import Response

from api.documents.groups import groups as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, PathId, ReadingDep
from api.edge.envelope import answer, no_content
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from api.groups.rendering import MODELS, ShowGroupDep, existing, require_readable_people, resource_v2, resources
from domain.core.errors import Forbidden
from domain.core.principal import Principal
from projections.core.visibility import viewer
from projections.groups import lists as group_lists
from projections.groups.list_queries import GroupFilter
from projections.groups.lists import GroupRow

router = contract_router("individual-groups", "Groups of individuals, the tree that they form, and the people in them.")


async def listed(
    read: Read, principal: Principal, query: documents.GroupListV2Query, *, people: bool
) -> tuple[list[GroupRow], int]:
    """Return the page and the total. Raises Forbidden to participants, and to staff who filter by people (A2)."""
    caller = await viewer(read.cursor, principal.user_id)
    filters = {
        name: getattr(query, name) for name in documents.GroupListV2Query.model_fields if name in vars(GroupFilter())
    }
    group_filter = GroupFilter(**filters, types=query.type, with_people=people)
    if caller.participant or (caller.only_staff and group_filter.tells_of_people):
        raise Forbidden
    return await group_lists.page(read.cursor, caller, group_filter, limit=query.page_limit, offset=query.page_offset)


@router.get("/v1/individual-groups/", deprecated=True, **answers(documents.GroupList))
async def list_groups(
    query: FromQuery[documents.GroupListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return groups that the caller may see, with their leaders. Deprecated: the second version is faster."""

    async def respond(read: Read) -> Response:
        rows, total = await listed(read, principal, query, people=query.with_individuals)
        groups = await resources(read.cursor, principal, rows, individuals=query.with_individuals)
        return read.listing(documents.GroupList, groups, query, total)

    return await reading.read(MODELS, respond)


@router.get("/v2/individual-groups/", **answers(documents.GroupV2List))
async def list_groups_v2(
    query: FromQuery[documents.GroupListV2Query], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return groups that the caller may see."""

    async def respond(read: Read) -> Response:
        rows, total = await listed(read, principal, query, people=False)
        return read.listing(documents.GroupV2List, [resource_v2(row) for row in rows], query, total)

    return await reading.read(("groups",), respond)


@router.post("/v1/individual-groups/", **answers(documents.GroupDocument, 201))
async def create_group(
    body: documents.CreateGroup,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    show: ShowGroupDep,
) -> Response:
    """Create a top-level group with the given leaders and individuals."""
    outcome = await execute(identity.groups.create(principal, **dict(body.attributes)))
    return await show(principal, outcome)


@router.get("/v1/individual-groups/{id}/", **answers(documents.GroupDocument))
async def group(
    group_id: PathId, query: FromQuery[documents.GroupQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return an active group."""

    async def respond(read: Read) -> Response:
        row = existing(await group_lists.detail(read.cursor, await viewer(read.cursor, principal.user_id), group_id))
        if query.with_individuals:
            await require_readable_people(read.cursor, principal, group_id, argument="with_individuals")
        individuals, members = query.with_individuals, query.with_members
        (resource,) = await resources(read.cursor, principal, [row], individuals=individuals, members=members)
        return read.single(documents.GroupDocument, resource)

    return await reading.read(MODELS, respond)


@router.get("/v2/individual-groups/{id}/", **answers(documents.GroupV2Document))
async def group_v2(
    group_id: PathId, query: FromQuery[documents.GroupV2Query], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return a group without its people."""

    async def respond(read: Read) -> Response:
        caller = await viewer(read.cursor, principal.user_id)
        row = await group_lists.detail(read.cursor, caller, group_id, include_inactive=query.include_inactive)
        return read.single(documents.GroupV2Document, resource_v2(existing(row)))

    return await reading.read(("groups",), respond)


@router.patch("/v1/individual-groups/{id}/", **answers(documents.GroupDocument))
async def update_group(
    group_id: PathId,
    body: documents.UpdateGroup,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    show: ShowGroupDep,
) -> Response:
    """Change the name, the tags or the leaders of a group."""
    change = identity.groups.change(principal, group_id, **body.attributes.given())
    return await show(principal, await execute(change, about=group_id))


@router.delete("/v1/individual-groups/{id}/", **answers(None, 204, extension=True))
async def deactivate_group(
    group_id: PathId, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Deactivate a group, which ends the rights that rest on it."""
    outcome = await execute(identity.groups.deactivate(principal, group_id), about=group_id)
    return no_content(position=outcome.position)


@router.post("/v1/individual-groups/{id}/add-individuals/", **answers(documents.GroupDocument, 201))
async def add_individuals(
    group_id: PathId,
    body: documents.AddIndividuals,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    show: ShowGroupDep,
) -> Response:
    """Add individuals to the group, all or none."""
    command = identity.rosters.add_individuals(
        principal, group_id, body.individual_ids, remove_from_group=body.remove_from_group
    )
    return await show(principal, await execute(command, about=group_id), body)


@router.post("/v1/individual-groups/{id}/remove-individuals/", **answers(documents.GroupDocument, 201))
async def remove_individuals(
    group_id: PathId,
    body: documents.RemoveIndividuals,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    show: ShowGroupDep,
) -> Response:
    """Remove individuals from the group."""
    command = identity.rosters.remove_individuals(principal, group_id, body.individual_ids)
    return await show(principal, await execute(command, about=group_id), body)


@router.post("/v1/individual-groups/{id}/add-leaders/", **answers(documents.GroupDocument, 201))
async def add_leaders(
    group_id: PathId,
    body: documents.AddUsers,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    show: ShowGroupDep,
) -> Response:
    """Add providers to the leaders of the group, all or none."""
    command = identity.rosters.add_users(
        principal, group_id, "leader", body.users, remove_from_group=body.remove_from_group
    )
    return await show(principal, await execute(command, about=group_id), body)


@router.post("/v1/individual-groups/{id}/add-members/", **answers(documents.GroupDocument, 201))
async def add_members(
    group_id: PathId,
    body: documents.AddUsers,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    show: ShowGroupDep,
) -> Response:
    """Add providers to the members of the group, all or none."""
    command = identity.rosters.add_users(
        principal, group_id, "member", body.users, remove_from_group=body.remove_from_group
    )
    return await show(principal, await execute(command, about=group_id), body)


@router.post("/v1/individual-groups/{id}/remove-leaders/", **answers(documents.GroupDocument, 201))
async def remove_leaders(
    group_id: PathId,
    body: documents.RemoveUsers,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    show: ShowGroupDep,
) -> Response:
    """Remove leaders from the group."""
    command = identity.rosters.remove_users(principal, group_id, "leader", body.users)
    return await show(principal, await execute(command, about=group_id), body)


@router.post("/v1/individual-groups/{id}/remove-members/", **answers(documents.GroupDocument, 201))
async def remove_members(
    group_id: PathId,
    body: documents.RemoveUsers,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    show: ShowGroupDep,
) -> Response:
    """Remove members from the group."""
    command = identity.rosters.remove_users(principal, group_id, "member", body.users)
    return await show(principal, await execute(command, about=group_id), body)


@router.post("/v1/individual-groups/{id}/move-group/", **answers(documents.MoveGroupAnswer, 201))
async def move_group(
    group_id: PathId, body: documents.MoveGroup, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Create a task that moves the group, and all groups below it, under another group."""
    outcome = await execute(identity.group_moves.request(principal, group_id, body.to_parent_group_id))
    task = documents.MoveTask(task_id=outcome.made)
    return answer(documents.MoveGroupAnswer(data=task), outcome.status, position=outcome.position)
