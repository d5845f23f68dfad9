"""/v1/organization-general-messages/: plain texts of organizations that applications show to their people."""

from starlette.responses import Response

from api.documents.organizations import general_messages as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, PathId, PermissionsDep, ReadingDep
from api.edge.records import RecordView
from api.edge.route import answers, contract_router
from domain.core.ports import AccessQuery
from domain.organizations.general_messages import GeneralMessageFields
from projections.organizations.general_messages import GENERAL_MESSAGES

router = contract_router("organization-general-messages", "Messages that organizations show their users.")
VIEW = RecordView(
    GENERAL_MESSAGES,
    lambda identity: identity.general_messages,
    documents.GeneralMessageDocument,
    documents.GeneralMessageList,
)


@router.get("/v1/organization-general-messages/", **answers(documents.GeneralMessageList))
async def list_general_messages(
    query: FromQuery[documents.GeneralMessageListQuery],
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
    body: documents.CreateGeneralMessage, principal: Authenticated, execute: ExecuteDep
) -> Response:
    """Create a message of an organization."""
    return await VIEW.create(execute, principal, GeneralMessageFields(**dict(body.attributes)))


@router.get("/v1/organization-general-messages/{id}/", **answers(documents.GeneralMessageDocument))
async def get_general_message(message_id: PathId, principal: Authenticated, reading: ReadingDep) -> Response:
    """Return one message."""
    return await VIEW.one(reading, principal, message_id)


@router.patch("/v1/organization-general-messages/{id}/", **answers(documents.GeneralMessageDocument))
async def update_general_message(
    message_id: PathId, body: documents.UpdateGeneralMessage, principal: Authenticated, execute: ExecuteDep
) -> Response:
    """Change the text of a message."""
    return await VIEW.change(execute, principal, message_id, body.attributes)


@router.delete("/v1/organization-general-messages/{id}/", **answers(None, 204, extension=True))
async def delete_general_message(message_id: PathId, principal: Authenticated, execute: ExecuteDep) -> Response:
    """Delete a message."""
    return await VIEW.delete(execute, principal, message_id)
