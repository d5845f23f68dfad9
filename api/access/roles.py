"""/v1/roles/: the roles of organizations, and the older operations that grant and revoke them."""

from starlette.responses import Response

from api.documents.access import roles as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, PathId, ReadingDep
from api.edge.envelope import answer
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from projections.access import roles
from projections.access.roles import RoleRow
from projections.core.visibility import viewer

router = contract_router("roles", "The roles that users can have.")
MODELS = (roles.RolesProjection.name,)


@router.get("/v1/roles/", **answers(documents.RoleList))
async def list_roles(
    query: FromQuery[documents.RoleListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return the roles of all organizations that the caller may read, or of one of them."""

    async def respond(read: Read) -> Response:
        rows = await roles.roles(
            read.cursor,
            await viewer(read.cursor, principal.user_id),
            organization_id=query.organization_id,
            name=query.name,
        )
        return read.listing(documents.RoleList, [resource(row) for row in rows])

    return await reading.read(MODELS, respond)


@router.post("/v1/roles/{id}/add-user/", deprecated=True, **answers(None, 201))
async def role_add_user(
    role_id: PathId, body: documents.AddRoleUser, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Grant the role to a provider of the organization."""
    outcome = await execute(identity.role_users.grant(principal, role_id, body.attributes.user))
    return answer(None, outcome.status, position=outcome.position)


@router.post("/v1/roles/{id}/remove-user/", **answers(None, 201))
async def role_remove_user(
    role_id: PathId,
    body: documents.RemoveRoleUser,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
) -> Response:
    """Revoke the role from a user. Do nothing if they do not hold it."""
    outcome = await execute(identity.role_users.revoke(principal, role_id, body.attributes.user))
    return answer(None, outcome.status, position=outcome.position)


def resource(row: RoleRow) -> documents.RoleResource:
    """Return the role as a resource of the contract."""
    organization = documents.RoleOrganization(
        display_name=row.organization_display_name, id=row.organization_id, name=row.organization_name
    )
    attributes = documents.RoleAttributes(
        display_name=row.display_name, name=row.name, organization=organization, organization_id=row.organization_id
    )
    return documents.RoleResource(attributes=attributes, id=row.role_id)
