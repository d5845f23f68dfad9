"""Agreements of users to service documents: which are required, which are recorded (rulings K50, K112 and K113)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.borrowed import require_own_session
from domain.core.errors import DomainError, Forbidden, Invalid
from domain.core.permissions import Permissions
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.people.directory import Directory

ARGUMENT = "service_document_agreements"


class ServiceDocumentsRequired(Forbidden, code="service-documents-required"):
    """You have to agree to service documents first.

    `missing` are the ids of the documents, which the answer names.
    """

    def __init__(self, missing: Sequence[UUID]) -> None:
        super().__init__(meta={"service-documents": [str(document_id) for document_id in missing]})


class UnknownServiceDocument(Invalid):
    """The document does not exist or is obsolete."""


class AgreedDocuments(Audited):
    """The service documents that a user agreed to."""

    TOPIC = "agreed-documents"

    user_id: UUID
    document_ids: list[UUID] = field(default_factory=list)

    class Created(Audited.Created):
        """A user is about to agree to service documents for the first time."""

        TOPIC = "agreed-documents.created"
        user_id: UUID

    class Agreed(Audited.Event):
        """The user agreed to further service documents."""

        TOPIC = "agreed-documents.agreed"
        user_id: UUID
        document_ids: list[UUID]

    class Forgotten(Audited.Event):
        """All agreements of the user were forgotten."""

        TOPIC = "agreed-documents.forgotten"
        user_id: UUID

    @classmethod
    def create(cls, user_id: UUID) -> "AgreedDocuments":
        """Return the documents of a user who has agreed to none."""
        return cls._create(cls.Created, id=agreed_documents_id(user_id), user_id=user_id)

    def agree(self, document_ids: Sequence[UUID]) -> None:
        """Record that the user agreed to the documents, to each one once."""
        new = [document_id for document_id in dict.fromkeys(document_ids) if document_id not in self.document_ids]
        if new:
            self._agreed(self.user_id, new)

    def forget(self) -> None:
        """Forget all agreements."""
        if self.document_ids:
            self._forgotten(self.user_id)

    @event(Agreed)
    def _agreed(self, user_id: UUID, document_ids: Sequence[UUID]) -> None:  # noqa: ARG002
        self.document_ids.extend(document_ids)

    @event(Forgotten)
    def _forgotten(self, user_id: UUID) -> None:  # noqa: ARG002
        self.document_ids.clear()


def agreed_documents_id(user_id: UUID) -> UUID:
    """Return the id of the documents that the user agreed to."""
    return uuid5(user_id, "agreed-documents")


@dataclass(frozen=True, eq=False)
class Agreements:
    """Decides which documents a person has to agree to, and records to which they did."""

    store: Store
    directory: Directory
    permissions: Permissions

    async def require(
        self,
        sent: Sequence[UUID],
        *,
        user_id: UUID | None = None,
        organization_ids: Sequence[UUID] = (),
        complete: bool = True,
    ) -> list[UUID]:
        """Return those of the documents that were sent to which the person has not agreed yet, for `agreed`.

        Required are the latest documents for all organizations, and those of the user's organizations and of the given
        ones: a person who signs up is no user yet. Unless `complete` is true, documents may be missing.

        Raises UnknownServiceDocument with one refusal for each document that does not exist or is obsolete;
        ServiceDocumentsRequired.
        """
        if not (sent or complete):
            return []
        latest = await self.directory.latest_documents(user_id, organization_ids, sent)
        known = {document.id for document in latest}
        unknown: list[DomainError] = [
            UnknownServiceDocument(argument=f"{ARGUMENT}/{place}")
            for place, document_id in enumerate(sent)
            if document_id not in known
        ]
        if unknown:
            unknown[0].others = tuple(unknown[1:])
            raise unknown[0]
        missing = [each.id for each in latest if each.required and not each.agreed and each.id not in sent]
        if missing and complete:
            raise ServiceDocumentsRequired(missing)
        return [document.id for document in latest if document.id in sent and not document.agreed]

    async def agreed(self, user_id: UUID, document_ids: Sequence[UUID]) -> list[Audited]:
        """Return the aggregates to save when the user agrees to these documents; none for no documents."""
        if not document_ids:
            return []
        stored = await self.store.find(AgreedDocuments, agreed_documents_id(user_id))
        documents = stored or AgreedDocuments.create(user_id)
        documents.agree(document_ids)
        return [documents]

    @retry_on_conflict
    async def record(self, user_id: UUID, document_ids: Sequence[UUID]) -> None:
        """Record that the user agreed to these documents."""
        documents = await self.agreed(user_id, document_ids)
        if documents:
            await self.store.save(*documents)

    @retry_on_conflict
    async def forget(self, principal: Principal, user_id: UUID) -> int:
        """Forget the agreements of a member of the staff, for themselves. Return the position of the event.

        Raises NotFound, Forbidden, ImpersonationNotAllowed.
        """
        await self.permissions.require_readable_user(principal, user_id)
        if user_id != principal.user_id:
            raise Forbidden
        require_own_session(principal, "forget agreements")
        if not principal.staff:
            raise Forbidden
        documents = await self.store.find(AgreedDocuments, agreed_documents_id(user_id))
        if documents is None:
            return await self.store.save()
        documents.forget()
        return await self.store.save(documents)
