"""/v1/organization-sms-templates/: text message templates of organizations and themes."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.documents.organizations import sms_templates as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep, PathId, ReadingDep
from api.edge.records import RecordView
from api.edge.route import answers, contract_router
from domain.organizations.sms_templates import SmsTemplateFields
from projections.core.records import RecordRow
from projections.organizations.sms_templates import SMS_TEMPLATES

router = contract_router("organization-sms-templates", "Texts of the SMS that an organization sends.")


def resource(row: RecordRow[SmsTemplateFields]) -> documents.SmsTemplateResource:
    """Return the template as documents show it."""
    attributes = documents.SmsTemplateAttributes.model_construct(
        **vars(row.fields), created_time=row.created_at, last_modified_time=row.modified_at
    )
    return documents.SmsTemplateResource(attributes=attributes, id=row.id)


VIEW = RecordView(SMS_TEMPLATES, documents.SmsTemplateDocument, documents.SmsTemplateList, resource)


@router.get("/v1/organization-sms-templates/", **answers(documents.SmsTemplateList))
async def list_sms_templates(
    query: Annotated[documents.SmsTemplateListQuery, Query()], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return a page of the templates that the caller may read."""
    return await VIEW.page(reading, principal, query)


@router.post("/v1/organization-sms-templates/", **answers(documents.SmsTemplateDocument, 201))
async def create_sms_template(
    body: documents.CreateSmsTemplate,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Create a template of an organization or a theme."""
    command = identity.sms_templates.create(principal, SmsTemplateFields(**dict(body.attributes)))
    return await VIEW.changed(reading, principal, await execute(command))


@router.get("/v1/organization-sms-templates/{id}/", **answers(documents.SmsTemplateDocument))
async def get_sms_template(template_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return one template."""
    return await VIEW.one(reading, principal, template_id)


@router.patch("/v1/organization-sms-templates/{id}/", **answers(documents.SmsTemplateDocument))
async def update_sms_template(
    template_id: PathId,
    body: documents.UpdateSmsTemplate,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Change what was sent of it."""
    command = identity.sms_templates.change(principal, template_id, body.attributes.given())
    return await VIEW.changed(reading, principal, await execute(command, about=template_id))


@router.delete("/v1/organization-sms-templates/{id}/", **answers(None, 204, extension=True))
async def delete_sms_template(
    template_id: PathId, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Delete it; messages of its type are sent as the theme or the default has them."""
    return VIEW.deleted(await execute(identity.sms_templates.delete(principal, template_id), about=template_id))
