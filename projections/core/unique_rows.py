"""Rows that are unique by a key and belong to an owner, written so that the outcome is the same however the log is cut.

Folding a batch to its last state would also accept a key that was taken before its holder gave it up: applied again
with a border between the two, the same events would collide, for ever. So the order of the two is looked at as well.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from domain.core.errors import DomainError
from projections.core.fold import Fold
from projections.core.projection import InlineProjection, Recorded, WriteCursor
from projections.core.rows import columns_of, write

Key = tuple[Any, ...]
Owner = tuple[Any, ...]
Row = tuple[Any, ...]


@dataclass(frozen=True)
class UniqueTable:
    """Where the rows stand: columns with their types in order, those that are unique, and those that tell the owner.

    `constraints` are the unique indexes that a key of another owner violates.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    owner: tuple[str, ...]
    constraints: tuple[str, ...]

    @cached_property
    def release(self) -> str:
        """Delete what owners held before the batch."""
        return f"""
        DELETE FROM {self.name} t USING {self._arrays("released", self.owner)}
        WHERE ({_list("t", self.owner)}) = ({_list("released", self.owner)})
        """

    @cached_property
    def release_unless_taken(self) -> str:
        """Delete the same, but for keys that another owner took before they were released: those must collide."""
        return f"""{self.release} AND NOT EXISTS (
            SELECT FROM {self._arrays("taken", self.key)}
            WHERE ({_list("t", self.key)}) = ({_list("taken", self.key)}) AND taken.position < released.position)
        """

    @cached_property
    def insert(self) -> str:
        """The rows that are left at the end; the unique index refuses a key that is still somebody else's."""
        types = ", ".join(f"%s::{kind}[]" for kind in self.columns.values())
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}) SELECT * FROM unnest({types})"

    @cached_property
    def refuse(self) -> str:
        """Let the unique index refuse what was taken, and given up again, while it was somebody else's."""
        keys = ", ".join(f"%s::{self.columns[name]}[]" for name in self.key)
        return f"""
        INSERT INTO {self.name} ({", ".join(self.columns)})
        SELECT {_list("t", self.columns)} FROM {self.name} t
        JOIN unnest({keys}) AS taken({", ".join(self.key)}) USING ({", ".join(self.key)})
        """

    def _arrays(self, alias: str, names: tuple[str, ...]) -> str:
        types = ", ".join(f"%s::{self.columns[name]}[]" for name in names)
        return f"unnest({types}, %s::bigint[]) AS {alias}({', '.join(names)}, position)"


class UniqueFold(Fold):
    """Base of folds to what each owner holds in `table` at the end. `refusal` is raised for two owners of one key."""

    table: ClassVar[UniqueTable]
    refusal: ClassVar[type[DomainError]]

    def __init__(self) -> None:
        self._rows: dict[Owner, dict[Key, Row]] = {}
        self._holders: dict[Key, Owner] = {}
        self._released: dict[Owner, int] = {}
        self._taken: dict[Key, int] = {}

    def hold(self, owner: Owner, rows: Iterable[Row], *, new: bool = False) -> None:
        """Let the owner hold exactly these rows from here on. `new` says that they held none before the batch.

        Raises the refusal when the batch has given one of the keys to another owner.
        """
        if owner not in self._rows and not new:
            self._released.setdefault(owner, self.position)
        for key in self._rows.get(owner, ()):
            del self._holders[key]
        held = {self._key(row): row for row in rows}
        for key in held:
            if key in self._holders:
                raise self.refusal
            self._holders[key] = owner
            self._taken.setdefault(key, self.position)
        self._rows[owner] = held

    async def write(self, cursor: WriteCursor) -> None:
        """Delete, then insert. Violates the table's unique index when a key is, or was, another owner's."""
        released = columns_of((*owner, position) for owner, position in self._released.items())
        taken = columns_of((*key, position) for key, position in self._taken.items())
        if released:
            await cursor.execute(self.table.release_unless_taken if taken else self.table.release, [*released, *taken])
        await write(cursor, self.table.insert, (row for held in self._rows.values() for row in held.values()))
        await write(cursor, self.table.refuse, self._taken.keys() - self._holders.keys())

    def _key(self, row: Row) -> Key:
        named = dict(zip(self.table.columns, row, strict=True))
        return tuple(named[name] for name in self.table.key)


class UniqueProjection(InlineProjection):
    """Base of projections whose rows are written by a unique fold."""

    @abstractmethod
    def fold(self) -> UniqueFold:
        """Return the fold of a batch that begins."""

    @property
    def unique_violations(self) -> Mapping[str, type[DomainError]]:
        fold = self.fold()
        return dict.fromkeys(fold.table.constraints, fold.refusal)

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        fold = await self.fold().add_all(events)
        await fold.write(cursor)


def _list(alias: str, names: Iterable[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)
