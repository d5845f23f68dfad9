"""Projections with a row per event, and with a row that a later event changes."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from projections.core.fold import Fold
from projections.core.projection import Projection, Recorded, WriteCursor
from projections.core.rows import Columns, Row, insert, update


class EventRows(Projection):
    """Base of projections that insert a row for each of their events."""

    @abstractmethod
    def row(self, event: Any) -> Row:
        """Return the row of an event."""

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await insert(cursor, self.name, (self.row(event) for _, event in events))


class BeginningsAndEnds(Fold):
    """Base of folds to the rows that events begin, and to what later events change in such rows."""

    def __init__(self) -> None:
        self.begun: list[Row] = []
        self.ended: list[Row] = []

    async def write(self, cursor: WriteCursor, table: str, key: Columns) -> None:
        """Write the beginnings first: a row may begin and end in one batch."""
        await insert(cursor, table, self.begun)
        await update(cursor, table, key, self.ended)
