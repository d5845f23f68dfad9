"""Plain records: aggregates whose state is one frozen dataclass of fields, and their commands (decision 0043).

`domain/organizations/general_messages.py` is an example. Its commands are

    general_messages = Records(GeneralMessage, store, OrganizationOwner(store, permissions))

The rule of a kind, if it has one, is its `require_valid`; a kind that needs more is an ordinary aggregate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, ClassVar, Generic, Self, TypeVar
from uuid import UUID, uuid4

from domain.core.audited import Audited
from domain.core.errors import Forbidden, NotFound
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal

TFields = TypeVar("TFields", bound=Any)


class RecordCreated(Audited.Created):
    """Base of the events that create a record; each kind annotates `fields` with its own class."""

    fields: Any


class RecordChanged(Audited.Event):
    """Base of the events that change a record; `fields` are all fields after the change."""

    fields: Any

    def apply(self, aggregate: Any) -> None:
        """Replace the fields of the record."""
        aggregate.fields = self.fields


class RecordDeleted(Audited.Event):
    """Base of the events that delete a record."""

    def apply(self, aggregate: Any) -> None:
        """Mark the record as deleted."""
        aggregate.deleted = True


class Record(Audited, Generic[TFields]):
    """Base of all kinds of records. `fields` are the present fields, or the last ones of a deleted record.

    A kind defines the events `Created`, `Changed` and `Deleted`; a kind that never changes defines `Created` only.
    """

    SNAPSHOT_EVERY: ClassVar[int | None] = None  # a record changes only a few times
    Changed: ClassVar[type[RecordChanged]]
    Deleted: ClassVar[type[RecordDeleted]]

    fields: TFields
    deleted: bool = field(default=False, init=False)

    @classmethod
    def create(cls, fields: TFields) -> Self:
        """Return a new record with a new id."""
        return cls._create(cls.Created, id=uuid4(), fields=fields)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Replace these fields. Record no event when they are equal already."""
        fields = replace(self.fields, **changes)
        if fields != self.fields:
            self.trigger_event(self.Changed, fields=fields)

    def delete(self) -> None:
        """Delete the record."""
        self.trigger_event(self.Deleted)

    def require_valid(self) -> None:
        """Raise a refusal when the new or changed record breaks a rule of its kind. By default there is no rule."""


TRecord = TypeVar("TRecord", bound=Record[Any])


class Owner:
    """Decides who may write the records of a kind. This base class refuses every principal.

    The `argument` of its refusals is a field of the record.
    """

    async def require_creation(self, principal: Principal, fields: Any) -> Sequence[Audited]:  # noqa: ARG002
        """Return the aggregates that may not change while a record with these fields is created.

        Raises NotFound, Forbidden (ruling D12), InvalidState.
        """
        raise Forbidden

    async def require_change(self, principal: Principal, fields: Any) -> Sequence[Audited]:  # noqa: ARG002
        """Return the aggregates that may not change while a record with these fields is changed.

        Raises NotFound, Forbidden, InvalidState.
        """
        raise Forbidden

    async def require_deletion(self, principal: Principal, fields: Any) -> None:  # noqa: ARG002
        """Raise NotFound or Forbidden when the principal may not delete a record with these fields."""
        raise Forbidden


class Records(Generic[TRecord]):
    """Creates, changes and deletes the records of one kind."""

    def __init__(self, kind: type[TRecord], store: Store, owner: Owner) -> None:
        self._kind = kind
        self._store = store
        self._owner = owner

    @retry_on_conflict
    async def create(self, principal: Principal, fields: Any) -> tuple[TRecord, int]:
        """Create a record. Return it and the position of the event.

        Raises the refusals of the owner, Invalid, and the AlreadyExists of the record's table.
        """
        unchanged = await self._owner.require_creation(principal, fields)
        record = self._kind.create(fields)
        record.require_valid()
        return record, await self._store.save(record, unchanged=unchanged, result=record.id)

    @retry_on_conflict
    async def change(self, principal: Principal, record_id: UUID, changes: Mapping[str, Any]) -> tuple[TRecord, int]:
        """Replace fields by name. Return the changed record and the position of the event.

        Raises NotFound, the refusals of the owner, Invalid, and the AlreadyExists of the record's table.
        """
        record = await self._existing(record_id)
        unchanged = await self._owner.require_change(principal, record.fields)
        record.change(changes)
        record.require_valid()
        return record, await save_resting_on(self._store, record, unchanged=unchanged)

    @retry_on_conflict
    async def delete(self, principal: Principal, record_id: UUID) -> int:
        """Delete the record and free its unique values; return the event's position. Raises NotFound, Forbidden."""
        record = await self._existing(record_id)
        await self._owner.require_deletion(principal, record.fields)
        record.delete()
        return await self._store.save(record)

    async def _existing(self, record_id: UUID) -> TRecord:
        record = await self._store.find(self._kind, record_id)
        if record is None or record.deleted:
            raise NotFound
        return record
