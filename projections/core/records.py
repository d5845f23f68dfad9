"""The table of a kind of plain records: unique key and list at once, kept in the appends' own transactions.

    TABLE = RecordTable(
        "general_messages", GeneralMessage, GeneralMessageExists,
        order="r.name, r.locale, r.id",
        visible=RECORDS_OF_ORGANIZATIONS,
    )

The migration alone names columns and types: `id`, `created_at`, `created_by`, `modified_at`, `modified_by`, and the
fields of the kind by their names.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar, get_type_hints
from uuid import UUID

import msgspec
from psycopg import AsyncCursor
from psycopg.rows import dict_row

from domain.core.errors import DomainError
from domain.core.records import Record, RecordChanged, RecordCreated, RecordDeleted
from projections.core.projection import Event, InlineProjection, Recorded, WriteCursor
from projections.core.rows import delete, insert, update
from projections.core.visibility import Viewer

TFields = TypeVar("TFields", bound=Any)
RECORD_EVENTS = (RecordCreated, RecordChanged, RecordDeleted)
ROW = ("id", "created_at", "created_by", "modified_at", "modified_by")
Derived = Callable[[Any], dict[str, Any]]
Condition = tuple[str, Any]
"""SQL over `r` with `{}` for its one value, and the value: `("r.locale = {}", "en_US")`."""


class RecordRow(NamedTuple, Generic[TFields]):
    """A record as its table has it. `created_by` and `modified_by` are users, None for the system itself."""

    id: UUID
    fields: TFields
    created_at: datetime
    created_by: UUID | None
    modified_at: datetime
    modified_by: UUID | None


class RecordTable(InlineProjection, Generic[TFields]):
    """An inline projection, and the queries of its table `r`.

    `exists` refuses violations of the constraint `<name>_key`. `order` and `visible` are SQL over `r`; the latter, over
    the parameters of a `Viewer`, says which rows it is shown. `derived` are further columns, made of the fields.
    Fields that stand `apart` are long, and read by queries of their own; in rows they have their defaults.
    """

    def __init__(
        self,
        name: str,
        kind: type[Record[TFields]],
        exists: type[DomainError],
        *,
        order: str,
        visible: str,
        derived: Derived = lambda _: {},
        apart: Sequence[str] = (),
    ) -> None:
        self._name = name
        self._events = tuple(
            event for event in vars(kind).values() if isinstance(event, type) and issubclass(event, RECORD_EVENTS)
        )
        self._exists = exists
        self._fields: type[TFields] = get_type_hints(kind.Created)["fields"]
        self._names = [field.name for field in dataclasses.fields(self._fields)]
        self._shown = [name for name in self._names if name not in apart]
        self._select = f"SELECT {', '.join(f'r.{name}' for name in (*self._shown, *ROW))} FROM {name} r"
        self._order = order
        self._visible = visible
        self._derived = derived

    @property
    def name(self) -> str:
        return self._name

    @property
    def events(self) -> tuple[type[Event], ...]:
        return self._events

    @property
    def unique_violations(self) -> Mapping[str, type[DomainError]]:
        return {f"{self._name}_key": self._exists}

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        """Write runs of creations and of deletions at once, changes one by one.

        So a unique value that is given up and one that is taken never meet in one statement, wherever a batch ends.
        """
        for kind, run in groupby((recorded.event for recorded in events), key=type):
            if issubclass(kind, RecordCreated):
                await self._insert(cursor, run)
            elif issubclass(kind, RecordChanged):
                for event in run:
                    await update(cursor, self.name, ("id",), [self._values(event)])
            else:
                await delete(cursor, self.name, ("id",), ((event.originator_id,) for event in run))

    async def page(
        self,
        cursor: AsyncCursor,
        viewer: Viewer,
        conditions: Sequence[Condition],
        *,
        limit: int,
        offset: int,
        order: str = "",
    ) -> tuple[list[RecordRow[TFields]], int]:
        """Return a page of the rows that the viewer is shown, and their number. `order` replaces the usual one."""
        parameters = {f"value{n}": value for n, (_, value) in enumerate(conditions)}
        where = " AND ".join(
            [f"({self._visible})", *(sql.format(f"%(value{n})s") for n, (sql, _) in enumerate(conditions))]
        )
        parameters |= viewer.parameters() | {"limit": limit, "offset": offset}
        await cursor.execute(f"SELECT count(*) FROM {self.name} r WHERE {where}", parameters)
        total = await cursor.fetchone()
        assert total is not None
        rows = cursor.connection.cursor(row_factory=dict_row)
        page = f"{self._select} WHERE {where} ORDER BY {order or self._order}"
        await rows.execute(f"{page} LIMIT %(limit)s OFFSET %(offset)s", parameters)
        return [self._row(row) async for row in rows], int(total[0])

    async def one(self, cursor: AsyncCursor, viewer: Viewer, record_id: UUID) -> RecordRow[TFields] | None:
        """Return the row, None when there is none or the viewer is not shown it."""
        rows = cursor.connection.cursor(row_factory=dict_row)
        where = f"r.id = %(id)s AND ({self._visible})"
        await rows.execute(f"{self._select} WHERE {where}", viewer.parameters() | {"id": record_id})
        found = await rows.fetchone()
        return None if found is None else self._row(found)

    async def where(self, cursor: AsyncCursor, conditions: str, parameters: Mapping[str, Any]) -> list[TFields]:
        """Return the fields of all rows that meet conditions over `r`, whoever asks."""
        rows = cursor.connection.cursor(row_factory=dict_row)
        await rows.execute(f"{self._select} WHERE {conditions}", parameters)
        return [self._row(row).fields async for row in rows]

    def _row(self, row: dict[str, Any]) -> RecordRow[TFields]:
        fields = msgspec.convert({name: row[name] for name in self._shown}, self._fields)
        return RecordRow(fields=fields, **{name: row[name] for name in ROW})

    def _values(self, event: Any) -> dict[str, Any]:
        fields = {name: getattr(event.fields, name) for name in self._names}
        modified = {"id": event.originator_id, "modified_at": event.timestamp, "modified_by": event.by.actor}
        return fields | self._derived(event.fields) | modified

    async def _insert(self, cursor: WriteCursor, events: Iterable[Any]) -> None:
        created = [
            self._values(event) | {"created_at": event.timestamp, "created_by": event.by.actor} for event in events
        ]
        await insert(cursor, self.name, created)
