"""/v1/organization-general-messages/: plain texts that people see beside an organization."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.documents.organizations import general_messages as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep, PathId, PermissionsDep, ReadingDep
from api.edge.records import RecordView
from api.edge.route import answers, contract_router
from domain.core.ports import AccessQuery
from domain.organizations.general_messages import GeneralMessageFields
from projections.core.records import RecordRow
from projections.organizations.general_messages import GENERAL_MESSAGES

router = contract_router("organization-general-messages", "Messages that organizations show their users.")


def resource(row: RecordRow[GeneralMessageFields]) -> documents.GeneralMessageResource:
    """Return the message as documents show it."""
    attributes = documents.GeneralMessageAttributes.model_construct(
        **vars(row.fields), created_time=row.created_at, last_modified_time=row.modified_at
    )
    return documents.GeneralMessageResource(attributes=attributes, id=row.id)


VIEW = RecordView(GENERAL_MESSAGES, documents.GeneralMessageDocument, documents.GeneralMessageList, resource)


@router.get("/v1/organization-general-messages/", **answers(documents.GeneralMessageList))
async def list_general_messages(
    query: Annotated[documents.GeneralMessageListQuery, Query()],
    principal: Authenticated,
    permissions: PermissionsDep,
    reading: ReadingDep,
) -> Response:
    """Return a page of the organization's messages that the caller may read."""
    reads = AccessQuery("organization", query.organization_id, "read")
    await permissions.require(principal, reads, argument="organization_id")
    return await VIEW.page(reading, principal, query)


@router.post("/v1/organization-general-messages/", **answers(documents.GeneralMessageDocument, 201))
async def create_general_message(
    body: documents.CreateGeneralMessage,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Create a message of an organization."""
    command = identity.general_messages.create(principal, GeneralMessageFields(**dict(body.attributes)))
    return await VIEW.changed(reading, principal, await execute(command))


@router.get("/v1/organization-general-messages/{id}/", **answers(documents.GeneralMessageDocument))
async def get_general_message(message_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return one message."""
    return await VIEW.one(reading, principal, message_id)


@router.patch("/v1/organization-general-messages/{id}/", **answers(documents.GeneralMessageDocument))
async def update_general_message(
    message_id: PathId,
    body: documents.UpdateGeneralMessage,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    reading: ReadingDep,
) -> Response:
    """Change its text."""
    command = identity.general_messages.change(principal, message_id, body.attributes.given())
    return await VIEW.changed(reading, principal, await execute(command, about=message_id))


@router.delete("/v1/organization-general-messages/{id}/", **answers(None, 204, extension=True))
async def delete_general_message(
    message_id: PathId, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Delete it."""
    return VIEW.deleted(await execute(identity.general_messages.delete(principal, message_id), about=message_id))
