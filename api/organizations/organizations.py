"""/v1/organizations/: organizations and their providers."""

from starlette.responses import Response

from api.documents.organizations import organizations as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, PathId, ReadingDep, ServicesDep
from api.edge.envelope import answer
from api.edge.execution import Outcome, require_still_readable
from api.edge.reading import Read, single
from api.edge.route import answers, contract_router
from api.services import Services
from domain.core.principal import Principal
from domain.organizations.organizations import Organization, OrganizationNotFound
from projections.core.visibility import viewer
from projections.organizations import organizations
from projections.organizations.organizations import OrganizationFilter, OrganizationRow

router = contract_router("organizations", "Organizations and their users.")
MODEL = organizations.OrganizationsProjection.name


@router.get("/v1/organizations/", **answers(documents.OrganizationList))
async def list_organizations(
    query: FromQuery[documents.OrganizationListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return organizations that the caller may see."""
    filters = OrganizationFilter(query.name, query.name_contains, query.modified, query.include_inactive)

    async def respond(read: Read) -> Response:
        rows, total = await organizations.organizations(
            read.cursor,
            await viewer(read.cursor, principal.user_id),
            filters,
            limit=query.page_limit,
            offset=query.page_offset,
        )
        return read.listing(documents.OrganizationList, [resource(row) for row in rows], query, total)

    return await reading.read((MODEL,), respond)


@router.post("/v1/organizations/", **answers(documents.OrganizationDocument, 201))
async def create_organization(
    body: documents.CreateOrganization,
    principal: Authenticated,
    services: ServicesDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Create an organization with the role of its administrators and its two computed groups."""
    outcome = await execute(services.identity.organizations.create(principal, **body.attributes.model_dump()))
    return await _recorded(services, reading, principal, outcome)


@router.get("/v1/organizations/{id}/", **answers(documents.OrganizationDocument))
async def get_organization(organization_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return an organization that the caller may see."""

    async def respond(read: Read) -> Response:
        return await _shown(read, principal, organization_id, 200)

    return await reading.read((MODEL,), respond)


@router.patch("/v1/organizations/{id}/", **answers(documents.OrganizationDocument))
async def update_organization(
    organization_id: PathId,
    body: documents.UpdateOrganization,
    principal: Authenticated,
    services: ServicesDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Change the attributes that were sent; most of them only as a system administrator."""
    command = services.identity.organizations.change(principal, organization_id, body.attributes.given())
    return await _recorded(services, reading, principal, await execute(command, about=organization_id))


@router.post("/v1/organizations/{id}/add-user/", **answers(None, 201))
async def organization_add_user(
    organization_id: PathId,
    body: documents.AddOrganizationUser,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
) -> Response:
    """Make a user a provider of the organization, and grant them the role if one is given."""
    user, role_id = body.attributes.user, body.attributes.role_id
    outcome = await execute(identity.memberships.add(principal, organization_id, user, role_id))
    return answer(None, outcome.status, position=outcome.position)


@router.post("/v1/organizations/{id}/remove-user/", **answers(None, 201))
async def organization_remove_user(
    organization_id: PathId,
    body: documents.RemoveOrganizationUser,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
) -> Response:
    """End the membership. Revoke the user's roles and remove them from the organization's groups."""
    outcome = await execute(identity.memberships.remove(principal, organization_id, body.attributes.user))
    return answer(None, outcome.status, position=outcome.position)


def resource(row: OrganizationRow) -> documents.OrganizationResource:
    """Return the organization as the caller may see it: participants see the display attributes only (ruling E10)."""
    attributes = documents.OrganizationAttributes(
        display_name=row.display_name,
        is_active=row.active,
        logo_ready_to_use=False,
        name=row.name,
        theme_id=row.theme_id,
        authorization_type=row.authorization_type if row.whole else None,  # type: ignore[arg-type]  # as stored
        classification=row.classification if row.whole else None,  # type: ignore[arg-type]
        last_modified_time=row.modified_at if row.whole else None,
        provider_type=row.provider_type if row.whole else None,
        timezone=row.timezone if row.whole else None,
    )
    return documents.OrganizationResource(attributes=attributes, id=row.organization_id)


async def _shown(read: Read, principal: Principal, organization_id: PathId, status: int) -> Response:
    """Return the document. Only system administrators and services see an inactive organization."""
    row = await organizations.organization(read.cursor, await viewer(read.cursor, principal.user_id), organization_id)
    if row is None or not (row.active or principal.unlimited):
        raise OrganizationNotFound
    return read.single(documents.OrganizationDocument, resource(row), status)


async def _recorded(services: Services, reading: ReadingDep, principal: Principal, outcome: Outcome) -> Response:
    """Return the answer to a command: from the read model, or from the events while the read model lags (A5)."""

    async def respond(read: Read) -> Response | None:
        return await _shown(read, principal, outcome.made, outcome.status) if read.current else None

    response = await reading.read_after(outcome, (MODEL,), respond)
    if response is not None:
        return response
    await require_still_readable(services.identity.permissions, principal, outcome, "organization", outcome.made)
    organization = await services.identity.store.get(Organization, outcome.made)
    return single(
        documents.OrganizationDocument, resource(OrganizationRow.of(organization)), outcome.position, outcome.status
    )
