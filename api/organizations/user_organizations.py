"""/v1/user-organizations/: the memberships of providers in organizations."""

from uuid import UUID

from starlette.responses import Response

from api.documents.organizations import user_organizations as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, ReadingDep
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from domain.organizations.organizations import OrganizationNotFound
from domain.people.named_users import UserIdOrEmail
from projections.core.visibility import Viewer, viewer
from projections.organizations import user_organizations
from projections.organizations.user_organizations import UserOrganizationRow

router = contract_router("user-organizations", "Which organizations users belong to.")


@router.get("/v1/user-organizations/", **answers(documents.UserOrganizationList))
async def list_user_organizations(
    query: FromQuery[documents.UserOrganizationListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return the caller's own memberships, and those in organizations that they may read."""

    async def respond(read: Read) -> Response:
        rows, total = await user_organizations.user_organizations(
            read.cursor,
            await viewer(read.cursor, principal.user_id),
            user_id=query.user_id,
            organization_id=query.organization_id,
            **query.page,
        )
        return read.listing(documents.UserOrganizationList, [resource(row) for row in rows], query, total)

    return await reading.read((), respond)


@router.post("/v1/user-organizations/", **answers(documents.UserOrganizationDocument, 201))
async def create_user_organization(
    body: documents.CreateUserOrganization,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Make a user a provider of the organization, without a role."""
    user_id, organization_id = body.attributes.user_id, body.attributes.organization_id
    command = identity.memberships.add(principal, organization_id, UserIdOrEmail(user_id))
    outcome = await execute(command, about=membership_id(user_id, organization_id))

    async def respond(read: Read) -> Response:
        caller = Viewer(principal.user_id, unlimited=True)  # the first answer shows the membership in any case
        if outcome.repeated:
            caller = await viewer(read.cursor, principal.user_id)
        rows, _ = await user_organizations.user_organizations(
            read.cursor,
            caller,
            user_id=user_id,
            organization_id=organization_id,
            limit=1,
            offset=0,
        )
        if not rows:  # the user left meanwhile
            raise OrganizationNotFound
        return read.single(documents.UserOrganizationDocument, resource(rows[0]), outcome.status)

    return await reading.read_after(outcome, (), respond)


def membership_id(user_id: UUID, organization_id: UUID) -> str:
    """Return the contract's id of a membership."""
    return f"{user_id}:{organization_id}"


def resource(row: UserOrganizationRow) -> documents.UserOrganizationResource:
    """Return the membership as a resource of the contract."""
    attributes = documents.UserOrganizationAttributes.of(
        row,
        organization_count=row.organizations,
        organization_display_name=row.display_name,
        organization_name=row.name,
    )
    return documents.UserOrganizationResource(attributes=attributes, id=membership_id(row.user_id, row.organization_id))
