"""/v1/organization-code-info/: what everybody may know of a code with which they can sign up."""

from starlette.responses import Response

from api.documents.organizations import enrollment_codes as documents
from api.edge.deps import ReadingDep
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from api.edge.throttles import LOOKUP_MISSES
from api.organizations.enrollment_codes import PathCode, parsed
from domain.core.errors import NotFound
from domain.organizations.enrollment_codes import organization_code_id
from projections.organizations.code_info import open_code

router = contract_router("organization-code-info", "What everybody may know of an organization code.")


@router.get(
    "/v1/organization-code-info/{id}/", **answers(documents.OrganizationCodeInfoDocument, throttle=LOOKUP_MISSES)
)
async def get_organization_code_info(code: PathCode, reading: ReadingDep) -> Response:
    """Return the organization of a code and what it asks of people who sign up."""

    async def respond(read: Read) -> Response:
        found = await open_code(read.cursor, organization_code_id(code))
        if found is None:
            raise NotFound
        organization = documents.PublicOrganization(display_name=found.display_name, name=found.name)
        attributes = documents.OrganizationCodeInfoAttributes.model_construct(
            enrollment_schema=parsed(found.enrollment_schema), organization=organization
        )
        resource = documents.OrganizationCodeInfoResource.model_construct(attributes=attributes, id=found.code)
        return read.single(documents.OrganizationCodeInfoDocument, resource)

    return await reading.read((), respond)
