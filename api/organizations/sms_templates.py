"""/v1/organization-sms-templates/: text message templates of organizations and themes."""

from starlette.responses import Response

from api.documents.organizations import sms_templates as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, PathId, ReadingDep
from api.edge.records import RecordView
from api.edge.route import answers, contract_router
from domain.organizations.sms_templates import SmsTemplateFields
from projections.organizations.sms_templates import SMS_TEMPLATES

router = contract_router("organization-sms-templates", "Texts of the SMS that an organization sends.")
VIEW = RecordView(
    SMS_TEMPLATES, lambda identity: identity.sms_templates, documents.SmsTemplateDocument, documents.SmsTemplateList
)


@router.get("/v1/organization-sms-templates/", **answers(documents.SmsTemplateList))
async def list_sms_templates(
    query: FromQuery[documents.SmsTemplateListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return a page of the templates that the caller may read."""
    return await VIEW.page(reading, principal, query)


@router.post("/v1/organization-sms-templates/", **answers(documents.SmsTemplateDocument, 201))
async def create_sms_template(
    body: documents.CreateSmsTemplate, principal: Authenticated, execute: ExecuteDep
) -> Response:
    """Create a template of an organization or a theme."""
    return await VIEW.create(execute, principal, SmsTemplateFields(**dict(body.attributes)))


@router.get("/v1/organization-sms-templates/{id}/", **answers(documents.SmsTemplateDocument))
async def get_sms_template(template_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return one template."""
    return await VIEW.one(reading, principal, template_id)


@router.patch("/v1/organization-sms-templates/{id}/", **answers(documents.SmsTemplateDocument))
async def update_sms_template(
    template_id: PathId, body: documents.UpdateSmsTemplate, principal: Authenticated, execute: ExecuteDep
) -> Response:
    """Change the attributes that were sent."""
    return await VIEW.change(execute, principal, template_id, body.attributes)


@router.delete("/v1/organization-sms-templates/{id}/", **answers(None, 204, extension=True))
async def delete_sms_template(template_id: PathId, principal: Authenticated, execute: ExecuteDep) -> Response:
    """Delete a template. Messages of its type use the template of the theme or the default text afterwards."""
    return await VIEW.delete(execute, principal, template_id)
