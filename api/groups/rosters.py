"""/v1/individual-group-individuals/, /v1/individual-group-leaders/ and eligible members (semantics 5 and 11)."""

from starlette.responses import Response

from api.documents.groups import rosters as documents
from api.documents.groups.groups import EligibleMember, EligibleMemberList, EligibleMembersQuery
from api.documents.people.people import CommunicationPreferences
from api.edge.caller import Authenticated
from api.edge.deps import FromQuery, PathId, PermissionsDep, ReadingDep
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from api.groups.rendering import individual_summary, require_readable_people
from domain.core.ports import AccessQuery
from domain.groups.groups import GroupNotFound
from projections.core.visibility import viewer
from projections.groups import eligible_members, rosters
from projections.groups.eligible_members import EligibleFilter, EligibleRow
from projections.groups.rosters import IndividualRow, ProviderRow

router = contract_router("individual-group-rosters", "Lists of individuals, leaders and eligible members of groups.")

GROUP = "individual_group_id"
"""The argument that refusals about the group are about."""


@router.get("/v1/individual-group-individuals/", **answers(documents.GroupIndividualList))
async def list_individuals(
    query: FromQuery[documents.RosterQuery], principal: Authenticated, permissions: PermissionsDep, reading: ReadingDep
) -> Response:
    """Return the individuals that the group contains directly."""
    await permissions.require(principal, AccessQuery("group", query.individual_group_id, "read"), argument=GROUP)

    async def respond(read: Read) -> Response:
        await require_readable_people(read.cursor, principal, query.individual_group_id, argument=GROUP)
        roster = await rosters.roster(read.cursor, query.individual_group_id)
        if roster is None:
            raise GroupNotFound(argument=GROUP)
        rows, total = await rosters.individuals_page(read.cursor, roster, **query.page)
        return read.listing(documents.GroupIndividualList, [_individual(row) for row in rows], query, total)

    return await reading.read(("users",), respond)


@router.get("/v1/individual-group-leaders/", **answers(documents.GroupLeaderList))
async def list_leaders(
    query: FromQuery[documents.RosterQuery], principal: Authenticated, permissions: PermissionsDep, reading: ReadingDep
) -> Response:
    """Return the users who lead the group directly."""
    await permissions.require(principal, AccessQuery("group", query.individual_group_id, "read"), argument=GROUP)

    async def respond(read: Read) -> Response:
        rows, total = await rosters.leaders(read.cursor, query.individual_group_id, **query.page)
        return read.listing(documents.GroupLeaderList, [_leader(row) for row in rows], query, total)

    return await reading.read(("users",), respond)


@router.get("/v1/individual-groups/{id}/eligible-members/", **answers(EligibleMemberList))
async def list_eligible_members(
    group_id: PathId,
    query: FromQuery[EligibleMembersQuery],
    principal: Authenticated,
    permissions: PermissionsDep,
    reading: ReadingDep,
) -> Response:
    """Return the people whom the caller may add to the group."""
    await permissions.require(principal, AccessQuery("group", group_id, "write"))
    filters = EligibleFilter(
        member_type=query.member_type,
        for_children=bool(query.for_children),
        text=query.text,
        verified=query.verified,
        registration_invite=query.registration_invite,
    )

    async def respond(read: Read) -> Response:
        caller = await viewer(read.cursor, principal.user_id)
        page = {"limit": query.page_limit, "offset": query.page_offset}
        rows, total = await eligible_members.page(read.cursor, caller, group_id, filters, **page)
        return read.listing(EligibleMemberList, [_eligible(row, query.member_type) for row in rows], query, total)

    return await reading.read(("users",), respond)


def _individual(row: IndividualRow) -> documents.GroupIndividualResource:
    attributes = documents.GroupIndividualAttributes.model_construct(
        individual=individual_summary(row), individual_group_id=row.group_id
    )
    return documents.GroupIndividualResource.model_construct(attributes=attributes, type="individual-group-individuals")


def _leader(row: ProviderRow) -> documents.GroupLeaderResource:
    leader = documents.LeaderSummary.model_construct(
        id=row.id, first_name=row.first_name, last_name=row.last_name, username=row.username
    )
    attributes = documents.GroupLeaderAttributes.model_construct(leader=leader, individual_group_id=row.group_id)
    return documents.GroupLeaderResource.model_construct(attributes=attributes, type="individual-group-leaders")


def _eligible(row: EligibleRow, member_type: str) -> EligibleMember:
    attributes = {
        **row._asdict(),
        "communication_preferences": CommunicationPreferences.stored(row.communication_preferences),
    }
    return EligibleMember.model_construct(**attributes, member_type=member_type)
