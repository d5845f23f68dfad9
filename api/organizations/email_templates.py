"""/v1/organization-email-templates/: e-mail templates of organizations and themes."""

from starlette.responses import Response

from api.documents.organizations import email_templates as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, PathId, ReadingDep
from api.edge.records import RecordView
from api.edge.route import answers, contract_router
from domain.organizations.email_templates import EmailTemplateFields
from projections.organizations.email_templates import EMAIL_TEMPLATES

router = contract_router("organization-email-templates", "Texts of the e-mails that an organization sends.")
VIEW = RecordView(
    EMAIL_TEMPLATES,
    lambda identity: identity.email_templates,
    documents.EmailTemplateDocument,
    documents.EmailTemplateList,
)


@router.get("/v1/organization-email-templates/", **answers(documents.EmailTemplateList))
async def list_email_templates(
    query: FromQuery[documents.EmailTemplateListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return a page of the templates that the caller may read."""
    return await VIEW.page(reading, principal, query)


@router.post("/v1/organization-email-templates/", **answers(documents.EmailTemplateDocument, 201))
async def create_email_template(
    body: documents.CreateEmailTemplate, principal: Authenticated, execute: ExecuteDep
) -> Response:
    """Create a template of an organization or a theme."""
    return await VIEW.create(execute, principal, EmailTemplateFields(**dict(body.attributes)))


@router.get("/v1/organization-email-templates/{id}/", **answers(documents.EmailTemplateDocument))
async def get_email_template(template_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return one template."""
    return await VIEW.one(reading, principal, template_id)


@router.patch("/v1/organization-email-templates/{id}/", **answers(documents.EmailTemplateDocument))
async def update_email_template(
    template_id: PathId, body: documents.UpdateEmailTemplate, principal: Authenticated, execute: ExecuteDep
) -> Response:
    """Change the attributes that were sent."""
    return await VIEW.change(execute, principal, template_id, body.attributes)


@router.delete("/v1/organization-email-templates/{id}/", **answers(None, 204, extension=True))
async def delete_email_template(template_id: PathId, principal: Authenticated, execute: ExecuteDep) -> Response:
    """Delete a template. Messages of its type use the template of the theme or the default text afterwards."""
    return await VIEW.delete(execute, principal, template_id)
