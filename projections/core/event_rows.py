"""Projections with a row per event, and with a row that a later event changes."""

from collections.abc import Sequence
from typing import Any

from projections.core.fold import Fold
from projections.core.projection import Projection, Recorded, WriteCursor
from projections.core.rows import Columns, Row, insert, update


class EventRows(Projection):
    """Base of projections that insert a row for each of their events.

    `id_column` has the id of the event's stream, `time_column` its time if the table has one; `fields` are the columns
    that are called like the event's fields.
    """

    id_column: str
    time_column: str | None = None
    fields: tuple[str, ...]

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await insert(cursor, self.name, (self._row(event) for _, event in events))

    def _row(self, event: Any) -> Row:
        row = {self.id_column: event.originator_id} | {name: getattr(event, name) for name in self.fields}
        return row if self.time_column is None else {**row, self.time_column: event.timestamp}


class BeginningsAndEnds(Fold):
    """Base of folds to the rows that events begin, and to what later events change in such rows."""

    def __init__(self) -> None:
        self.begun: list[Row] = []
        self.ended: list[Row] = []

    async def write(self, cursor: WriteCursor, table: str, key: Columns) -> None:
        """Write the beginnings first: a row may begin and end in one batch."""
        await insert(cursor, table, self.begun)
        await update(cursor, table, key, self.ended)
