"""/v1/role-users/: the users who hold a role."""

from uuid import UUID

from starlette.responses import Response

from api.documents.access import role_users as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, ReadingDep
from api.edge.execution import identified
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from domain.access.roles import RoleNotFound
from domain.core.principal import Principal
from projections.access import role_users, roles
from projections.access.role_users import RoleUserRow
from projections.core.visibility import viewer
from projections.people.users import UsersProjection

router = contract_router("role-users", "Roles of users, everywhere or in one organization.")
MODELS = (UsersProjection.name,)


@router.get("/v1/role-users/", **answers(documents.RoleUserList))
async def list_role_users(
    query: FromQuery[documents.RoleUserListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return the holders of a role of an organization that the caller may read, by user id."""

    async def respond(read: Read) -> Response:
        if not await _readable(read, principal, query.role_id):
            raise RoleNotFound(argument="role_id")
        rows, total = await role_users.role_users(read.cursor, query.role_id, **query.page)
        return read.listing(documents.RoleUserList, [resource(row) for row in rows], query, total)

    return await reading.read(MODELS, respond)


@router.post("/v1/role-users/", **answers(documents.RoleUserDocument, 201))
async def create_role_user(
    body: documents.CreateRoleUser,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Grant the role to a provider of the organization. Return the role-user, also if it exists already."""
    role_id = body.attributes.role_id
    outcome = await execute(identity.role_users.grant(principal, role_id, body.attributes.user))

    async def respond(read: Read) -> Response:
        row = await role_users.role_user(read.cursor, role_id, outcome.made)
        if row is None:  # revoked meanwhile; the id of a role-user is the position of the grant
            return identified("role-users", outcome.position, outcome.status, outcome.position)
        if outcome.repeated and not await _readable(read, principal, role_id):
            return identified("role-users", row.number, outcome.status, outcome.position)
        return read.single(documents.RoleUserDocument, resource(row), outcome.status)

    return await reading.read_after(outcome, MODELS, respond)


async def _readable(read: Read, principal: Principal, role_id: UUID) -> bool:
    return await roles.is_shown(read.cursor, await viewer(read.cursor, principal.user_id), role_id)


def resource(row: RoleUserRow) -> documents.RoleUserResource:
    """Return the role-user as a resource of the contract."""
    role = documents.HeldRole(id=row.role_id, name=row.role_name)
    holder = documents.RoleHolder(email=row.email, id=row.user_id)
    return documents.RoleUserResource(attributes=documents.RoleUserAttributes(role=role, user=holder), id=row.number)
