"""Service documents (inline). The texts are long: no query of documents reads them."""

from uuid import UUID

from psycopg import AsyncCursor

from domain.onboarding.service_documents import ServiceDocument, ServiceDocumentExists
from projections.core.records import RecordTable
from projections.core.visibility import IN_NO_INACTIVE_ORGANIZATION

SERVICE_DOCUMENTS = RecordTable(
    "service_documents",
    ServiceDocument,
    ServiceDocumentExists,
    order="r.created_at DESC, r.id",
    visible=IN_NO_INACTIVE_ORGANIZATION,
    apart=("html",),
)

IS_LATEST = """NOT EXISTS (
    SELECT FROM service_documents n
    WHERE n.type = r.type AND n.organization_id IS NOT DISTINCT FROM r.organization_id
      AND n.created_at > r.created_at)"""
"""No document of its type and organization was added after it: versions are labels (ruling K110)."""


async def html_of(cursor: AsyncCursor, document_id: UUID, locale: str) -> str:
    """Return the text of a document in a locale that it has."""
    await cursor.execute("SELECT html ->> %s FROM service_documents WHERE id = %s", [locale, document_id])
    (row,) = await cursor.fetchall()
    return str(row[0])
