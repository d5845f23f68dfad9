"""/v1/service-documents/: terms, policies and other documents, which callers read without a token (ruling K63)."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from adapters.security.client_address import CLIENT_ADDRESS
from api.documents.onboarding import service_documents as documents
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, PathId, ReadingDep
from api.edge.kinds import AnswerKind
from api.edge.reading import Read
from api.edge.records import ANONYMOUS, RecordView
from api.edge.route import answers, contract_router
from api.edge.throttles import CallThrottle
from api.services import services_of
from domain.onboarding.service_documents import ServiceDocumentFields
from domain.organizations.enrollment_codes import organization_code_id
from projections.core.records import RecordRow
from projections.onboarding.referral_codes import valid_code
from projections.onboarding.service_documents import SERVICE_DOCUMENTS, html_of
from projections.organizations.code_info import open_code

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
"""The beginning of a text, up to the place for a style sheet."""


class ServiceDocumentView(RecordView[ServiceDocumentFields, documents.ServiceDocumentResource]):
    """Renders documents with links to pages below `base`."""

    def __init__(self, base: str) -> None:
        super().__init__(
            SERVICE_DOCUMENTS,
            lambda identity: identity.service_documents,
            documents.ServiceDocumentDocument,
            documents.ServiceDocumentList,
        )
        self._base = base

    def resource(self, row: RecordRow[ServiceDocumentFields], **more: Any) -> documents.ServiceDocumentResource:
        """Return the resource in the locale of the document, or in the given `locale` with its `html`."""
        titles, organization_id = row.fields.titles, row.fields.organization_id
        translations = [
            documents.Translation.model_construct(
                html_link=f"{self._base}/service-documents/{row.id}/?locale={locale}",
                locale=locale,
                title=titles[locale],
            )
            for locale in sorted(titles)
        ]
        chosen = more.get("locale", row.fields.locale)
        (translation,) = (translation for translation in translations if translation.locale == chosen)
        attributes = documents.ServiceDocumentAttributes.model_construct(
            created_time=row.created_at,
            html=more.get("html"),
            html_link=translation.html_link,
            organization=None if organization_id is None else documents.OrganizationReference(id=organization_id),
            title=translation.title,
            translations=translations,
            type=row.fields.type,
            version=row.fields.version,
        )
        return documents.ServiceDocumentResource(attributes=attributes, id=row.id)


async def view(request: Request) -> ServiceDocumentView:
    """Return the view with links to this service."""
    return ServiceDocumentView(services_of(request).settings.public_base)


ViewDep = Annotated[ServiceDocumentView, Depends(view)]


@router.get("/v1/service-documents/", **answers(documents.ServiceDocumentList, throttle=READS))
async def list_service_documents(
    query: FromQuery[documents.ServiceDocumentListQuery], document_view: ViewDep, reading: ReadingDep
) -> Response:
    """Return the documents for all organizations, and those of the given organizations and codes."""

    async def respond(read: Read) -> Response:
        organizations = await organizations_of(read, query)
        return await document_view.all_in(read, query.model_copy(update={"organizations": organizations}))

    return await reading.read((), respond)


async def organizations_of(read: Read, query: documents.ServiceDocumentListQuery) -> tuple[UUID, ...]:
    """Return the organizations that the query names, by their ids or by codes that are valid now."""
    named: list[UUID | None] = [*query.organizations]
    if query.organization_code is not None:
        code = await open_code(read.cursor, organization_code_id(query.organization_code))
        named.append(code and code.organization_id)
    if query.referral_code is not None:
        referral = await valid_code(read.cursor, query.referral_code)
        named.append(None if referral is None or referral.claimed else referral.organization_id)
    return tuple(organization_id for organization_id in named if organization_id is not None)


@router.post("/v1/service-documents/", **answers(documents.ServiceDocumentDocument, 201, extension=True))
async def create_service_document(
    body: documents.CreateServiceDocument, principal: Authenticated, document_view: ViewDep, execute: ExecuteDep
) -> Response:
    """Create a document or another version of one."""
    return await document_view.create(execute, principal, body.attributes.fields())


@router.get("/v1/service-documents/{id}/", **answers(documents.ServiceDocumentDocument, throttle=READS))
async def get_service_document(
    document_id: PathId, query: FromQuery[documents.ServiceDocumentQuery], document_view: ViewDep, reading: ReadingDep
) -> Response:
    """Return one document, with its text in the best locale if requested."""

    async def respond(read: Read) -> Response:
        row = await document_view.row(read, ANONYMOUS, document_id)
        if not query.html:
            return read.single(documents.ServiceDocumentDocument, document_view.resource(row))
        locale = row.fields.best_locale(query.locale)
        html = await html_of(read.cursor, document_id, locale)
        html = reflowed(html) if query.reflow else html
        return read.single(documents.ServiceDocumentDocument, document_view.resource(row, locale=locale, html=html))

    return await reading.read((), respond)


@router.get(
    "/service-documents/{id}/",
    operation_id="service_documents_page",
    **answers(None, kind=AnswerKind.PAGE, extension=True, throttle=READS),
)
async def service_document_page(
    document_id: PathId, query: FromQuery[documents.PageQuery], document_view: ViewDep, reading: ReadingDep
) -> Response:
    """Return the text in the best locale as a page that runs no script and loads no other resource."""

    async def respond(read: Read) -> Response:
        row = await document_view.row(read, ANONYMOUS, document_id)
        locale = row.fields.best_locale(query.locale)
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Content-Language": locale.replace("_", "-")}
        return HTMLResponse(await html_of(read.cursor, document_id, locale), headers=headers)

    return await reading.read((), respond)


def reflowed(html: str) -> str:
    """Return the text with a style sheet that fits it into narrow screens."""
    end = match.end() if (match := BEFORE_STYLE.match(html)) else 0
    return html[:end] + REFLOW + html[end:]
