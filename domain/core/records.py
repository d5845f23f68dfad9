"""Plain records: aggregates whose state is one frozen dataclass of fields, and the commands on them (decision 0043).

    @dataclass(frozen=True)
    class GeneralMessageFields:
        organization_id: UUID
        …

    class GeneralMessage(Record[GeneralMessageFields]):
        TOPIC = "general-message"

        class Created(RecordCreated):
            TOPIC = "general-message.created"
            fields: GeneralMessageFields

        class Changed(RecordChanged): …
        class Deleted(RecordDeleted): …

    general_messages = Records(GeneralMessage, store, OrganizationOwner(store, permissions))

A kind with one rule of its own subclasses `Records`; one that needs a second is an ordinary aggregate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar
from uuid import UUID

from domain.core.audited import Audited
from domain.core.errors import NotFound
from domain.core.ids import new_id
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal

TFields = TypeVar("TFields", bound=Any)


class RecordCreated(Audited.Created):
    """Base of the creations of all kinds; each annotates `fields` with its own class."""

    fields: Any


class RecordChanged(Audited.Event):
    """Base of all changes: `fields` are all fields as they are from then on."""

    fields: Any

    def apply(self, aggregate: Any) -> None:
        """Let the record have them."""
        aggregate.fields = self.fields


class RecordDeleted(Audited.Event):
    """Base of all deletions."""

    def apply(self, aggregate: Any) -> None:
        """Let the record be deleted."""
        aggregate.deleted = True


class Record(Audited, Generic[TFields]):
    """Base of all kinds. `fields` are as they are now; a deleted record keeps its last ones.

    Kinds name their events `Created`, `Changed` and `Deleted`; those that never change leave the others out.
    """

    SNAPSHOT_EVERY: ClassVar[int | None] = None  # records change a few times in their lives
    Changed: ClassVar[type[RecordChanged]]
    Deleted: ClassVar[type[RecordDeleted]]

    fields: TFields
    deleted: bool = field(default=False, init=False)

    @classmethod
    def create(cls, fields: TFields) -> Self:
        """Return a new record with an id of its own."""
        return cls._create(cls.Created, id=new_id(), fields=fields)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Replace these fields; nothing is recorded when none of them differs."""
        fields = replace(self.fields, **changes)
        if fields != self.fields:
            self.trigger_event(self.Changed, fields=fields)

    def delete(self) -> None:
        """End it."""
        self.trigger_event(self.Deleted)


TRecord = TypeVar("TRecord", bound=Record[Any])


class Owner(Protocol):
    """Who may write the records of a kind. Refusals name the fields of the record."""

    async def require_creation(self, principal: Principal, fields: Any) -> Sequence[Audited]:
        """Return what a creation with these fields rests on, which may not change meanwhile.

        Raises NotFound, Forbidden (ruling D12), InvalidState.
        """
        ...

    async def require_change(self, principal: Principal, fields: Any) -> Sequence[Audited]:
        """Return what a change of a record with these fields rests on. Raises NotFound, Forbidden, InvalidState."""
        ...

    async def require_deletion(self, principal: Principal, fields: Any) -> None:
        """Raise NotFound or Forbidden when the principal may not delete a record with these fields."""
        ...


class Records(Generic[TRecord]):
    """Creates, changes and deletes the records of one kind."""

    def __init__(self, kind: type[TRecord], store: Store, owner: Owner) -> None:
        self._kind = kind
        self._store = store
        self._owner = owner

    @retry_on_conflict
    async def create(self, principal: Principal, fields: Any) -> tuple[TRecord, int]:
        """Return the new record and the position that shows it.

        Raises what the owner raises, Invalid, and the AlreadyExists of the record's table.
        """
        resting_on = await self._owner.require_creation(principal, fields)
        record = self._kind.create(fields)
        self.require_valid(record)
        return record, await self._store.save(record, unchanged=resting_on, result=record.id)

    @retry_on_conflict
    async def change(self, principal: Principal, record_id: UUID, changes: Mapping[str, Any]) -> tuple[TRecord, int]:
        """Replace fields, by name; return the record as it is then and the position that shows it.

        Raises NotFound, what the owner raises, Invalid, and the AlreadyExists of the record's table.
        """
        record = await self._existing(record_id)
        resting_on = await self._owner.require_change(principal, record.fields)
        record.change(changes)
        self.require_valid(record)
        return record, await save_resting_on(self._store, record, unchanged=resting_on)

    @retry_on_conflict
    async def delete(self, principal: Principal, record_id: UUID) -> int:
        """Delete the record, whose unique values are free again. Raises NotFound, Forbidden."""
        record = await self._existing(record_id)
        await self._owner.require_deletion(principal, record.fields)
        record.delete()
        return await self._store.save(record)

    def require_valid(self, record: TRecord) -> None:
        """Raise a refusal for a new or changed record that may not be so; kinds without a rule refuse nothing."""

    async def _existing(self, record_id: UUID) -> TRecord:
        record = await self._store.find(self._kind, record_id)
        if record is None or record.deleted:
            raise NotFound
        return record
