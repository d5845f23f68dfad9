"""/v1/service-documents/: terms, policies and the like. Anybody reads them, with any token or none (ruling K63)."""

import re
from functools import partial
from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from adapters.security.client_address import CLIENT_ADDRESS
from api.documents.onboarding import service_documents as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep, PathId, ReadingDep, ServicesDep
from api.edge.kinds import AnswerKind
from api.edge.reading import Read
from api.edge.records import ANYBODY, RecordView
from api.edge.route import answers, contract_router
from api.edge.throttles import CallThrottle
from api.services import services_of
from domain.onboarding.service_documents import ServiceDocumentFields
from projections.core.records import RecordRow
from projections.onboarding.service_documents import SERVICE_DOCUMENTS, html_of

router = contract_router("service-documents", "Terms and policies that people agree to.")

READS = CallThrottle(
    "service-documents", lambda settings: settings.service_documents_address, 60, lambda _: CLIENT_ADDRESS.get()
)
CONTENT_SECURITY_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
REFLOW = (
    "<style>*{box-sizing:border-box;max-width:100%;overflow-wrap:anywhere}"
    "body{margin:1rem}img,table{height:auto}pre{white-space:pre-wrap}</style>"
)
BEFORE_STYLE = re.compile(r".*?(?=</head\s*>)|\s*(?:<!doctype[^>]*>)?", re.IGNORECASE | re.DOTALL)
"""The beginning of a text, up to where a style sheet may stand."""


def resource(
    base: str, row: RecordRow[ServiceDocumentFields], locale: str = "", html: str | None = None
) -> documents.ServiceDocumentResource:
    """Return the document as documents show it; its title is that of the locale, or of its own."""
    fields = row.fields
    links = {each: f"{base}/service-documents/{row.id}/?locale={each}" for each in sorted(fields.titles)}
    shown = locale or fields.locale
    attributes = documents.ServiceDocumentAttributes.model_construct(
        created_time=row.created_at,
        html=html,
        html_link=links[shown],
        organization=fields.organization_id and documents.OrganizationReference(id=fields.organization_id),
        title=fields.titles[shown],
        translations=[
            documents.Translation.model_construct(html_link=link, locale=each, title=fields.titles[each])
            for each, link in links.items()
        ],
        type=fields.type,
        version=fields.version,
    )
    return documents.ServiceDocumentResource(attributes=attributes, id=row.id)


async def view(request: Request) -> RecordView[ServiceDocumentFields, documents.ServiceDocumentResource]:
    """Return what shows documents with links to this service."""
    base = services_of(request).settings.public_base
    return RecordView(
        SERVICE_DOCUMENTS, documents.ServiceDocumentDocument, documents.ServiceDocumentList, partial(resource, base)
    )


ViewDep = Annotated[RecordView[ServiceDocumentFields, documents.ServiceDocumentResource], Depends(view)]


@router.get("/v1/service-documents/", **answers(documents.ServiceDocumentList, throttle=READS))
async def list_service_documents(
    query: Annotated[documents.ServiceDocumentListQuery, Query()], shown: ViewDep, reading: ReadingDep
) -> Response:
    """Return the documents for all, and those of the organizations named."""
    return await shown.all(reading, query)


@router.post("/v1/service-documents/", **answers(documents.ServiceDocumentDocument, 201, extension=True))
async def create_service_document(
    body: documents.CreateServiceDocument,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
    shown: ViewDep,
    reading: ReadingDep,
) -> Response:
    """Add a document, or a further version of one."""
    command = identity.service_documents.create(principal, body.attributes.fields())
    return await shown.changed(reading, principal, await execute(command))


@router.get("/v1/service-documents/{id}/", **answers(documents.ServiceDocumentDocument, throttle=READS))
async def get_service_document(
    document_id: PathId,
    query: Annotated[documents.ServiceDocumentQuery, Query()],
    services: ServicesDep,
    shown: ViewDep,
    reading: ReadingDep,
) -> Response:
    """Return one document, with its text in the best locale if asked for."""

    async def respond(read: Read) -> Response:
        row = await shown.row(read, ANYBODY, document_id)
        if not query.html:
            return read.single(documents.ServiceDocumentDocument, resource(services.settings.public_base, row))
        locale = row.fields.best_locale(query.locale)
        html = await html_of(read.cursor, document_id, locale)
        return read.single(
            documents.ServiceDocumentDocument,
            resource(services.settings.public_base, row, locale, reflowed(html) if query.reflow else html),
        )

    return await reading.read((), respond)


@router.get(
    "/service-documents/{id}/",
    operation_id="service_documents_page",
    **answers(None, kind=AnswerKind.PAGE, extension=True, throttle=READS),
)
async def service_document_page(
    document_id: PathId, query: Annotated[documents.PageQuery, Query()], shown: ViewDep, reading: ReadingDep
) -> Response:
    """Return the text in the best locale as a page, which may run nothing and load nothing."""

    async def respond(read: Read) -> Response:
        row = await shown.row(read, ANYBODY, document_id)
        locale = row.fields.best_locale(query.locale)
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Content-Language": locale.replace("_", "-")}
        return HTMLResponse(await html_of(read.cursor, document_id, locale), headers=headers)

    return await reading.read((), respond)


def reflowed(html: str) -> str:
    """Return the text with a style sheet that fits it into narrow screens."""
    end = match.end() if (match := BEFORE_STYLE.match(html)) else 0
    return html[:end] + REFLOW + html[end:]
