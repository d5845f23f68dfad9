"""The service documents that users agreed to (inline), and those that they have to agree to."""

from collections.abc import Sequence
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.recorded import Recorded
from domain.onboarding.agreements import AgreedDocuments
from domain.onboarding.service_documents import LatestDocument
from projections.core.fold import Fold, handler
from projections.core.projection import InlineProjection, WriteCursor
from projections.core.rows import Row, delete, insert


class AgreementsFold(Fold):
    """The new agreements, and the users whose earlier ones are forgotten."""

    def __init__(self) -> None:
        self.forgotten: dict[UUID, None] = {}
        self.agreed: dict[tuple[UUID, UUID], Row] = {}

    @handler
    def agree(self, event: AgreedDocuments.Agreed) -> None:
        for document_id in event.document_ids:
            self.agreed[event.user_id, document_id] = {
                "user_id": event.user_id,
                "document_id": document_id,
                "agreed_at": event.timestamp,
            }

    @handler
    def forget(self, event: AgreedDocuments.Forgotten) -> None:
        self.forgotten[event.user_id] = None
        self.agreed = {key: row for key, row in self.agreed.items() if key[0] != event.user_id}


class AgreementsProjection(InlineProjection):
    """Forgets the agreements that were there before the batch, then inserts those of the batch."""

    name = "service_document_agreements"
    events = AgreementsFold.events

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        fold = await AgreementsFold().add_all(events)
        await delete(cursor, self.name, ("user_id",), ((user_id,) for user_id in fold.forgotten))
        await insert(cursor, self.name, fold.agreed.values())


# Documents for all organizations and those of one organization are compared in separate conditions, because no index
# serves IS NOT DISTINCT FROM.
LATEST_DOCUMENTS = """
WITH homes AS (
    SELECT organization_id FROM organization_users WHERE user_id = %(user)s AND provider
    UNION
    SELECT s.organization_id FROM access_individuals i JOIN individual_organizations s USING (individual_id)
    WHERE i.owner_id = %(user)s AND s.shared
    UNION
    SELECT unnest(%(organizations)s::uuid[])
), candidates AS (
    SELECT id FROM service_documents WHERE organization_id IS NULL
    UNION
    SELECT d.id FROM homes JOIN service_documents d USING (organization_id)
    UNION
    SELECT unnest(%(sent)s::uuid[])
)
SELECT r.id, r.organization_id IS NULL OR r.organization_id IN (SELECT organization_id FROM homes) AS required,
       EXISTS (SELECT FROM service_document_agreements a WHERE a.user_id = %(user)s AND a.document_id = r.id) AS agreed
FROM candidates JOIN service_documents r USING (id)
LEFT JOIN access_organizations o USING (organization_id)
WHERE (r.organization_id IS NULL OR o.active)
  AND NOT EXISTS (
      SELECT FROM service_documents n
      WHERE n.organization_id = r.organization_id AND n.type = r.type AND n.created_at > r.created_at)
  AND NOT (r.organization_id IS NULL AND EXISTS (
      SELECT FROM service_documents n
      WHERE n.organization_id IS NULL AND n.type = r.type AND n.created_at > r.created_at))
ORDER BY r.created_at DESC, r.id
"""


async def latest_documents(
    cursor: AsyncCursor, user_id: UUID | None, organization_ids: Sequence[UUID], sent: Sequence[UUID]
) -> list[LatestDocument]:
    """Return the latest documents that concern the user or were sent, the newest first."""
    parameters = {"user": user_id, "organizations": list(organization_ids), "sent": list(sent)}
    await cursor.execute(LATEST_DOCUMENTS, parameters, prepare=True)
    return [LatestDocument(*row) for row in await cursor.fetchall()]
