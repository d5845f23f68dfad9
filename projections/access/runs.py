"""Sorted ids that can be counted and cut without being written out."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from pyroaring import BitMap

from projections.access.sets import Ranking


class Run(Protocol):
    """Ids in order, none twice."""

    def __len__(self) -> int: ...

    def before(self, individual_id: UUID) -> int:
        """Return how many are smaller."""
        ...

    def cut(self, offset: int, limit: int) -> list[UUID]:
        """Return a page."""
        ...


class Listed:
    """A few, at hand."""

    def __init__(self, ids: Sequence[UUID]) -> None:
        self._ids = sorted(ids)

    def __len__(self) -> int:
        return len(self._ids)

    def before(self, individual_id: UUID) -> int:
        return bisect_left(self._ids, individual_id)

    def cut(self, offset: int, limit: int) -> list[UUID]:
        return self._ids[offset : offset + limit]


class Ranked:
    """The individuals of a ranking that are in a set."""

    def __init__(self, ranking: Ranking, ranks: BitMap) -> None:
        self._ranking = ranking
        self._ranks = ranks

    def __len__(self) -> int:
        return len(self._ranks)

    def before(self, individual_id: UUID) -> int:
        before = self._ranking.before(individual_id)
        return self._ranks.rank(before - 1) if before else 0

    def cut(self, offset: int, limit: int) -> list[UUID]:
        return [self._ranking[rank] for rank in self._ranks[offset : offset + limit]]


class Merged:
    """Two that have none in common. Cheapest when the second one is the shorter."""

    def __init__(self, first: Run, second: Run) -> None:
        self._first = first
        self._second = second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def before(self, individual_id: UUID) -> int:
        return self._first.before(individual_id) + self._second.before(individual_id)

    def cut(self, offset: int, limit: int) -> list[UUID]:
        skipped = bisect_left(range(len(self._second)), offset, key=self._place)
        found = self._first.cut(offset - skipped, limit) + self._second.cut(skipped, limit)
        return sorted(found)[:limit]

    def _place(self, number: int) -> int:
        """Return where the second one's id with this number stands among all."""
        (individual_id,) = self._second.cut(number, 1)
        return number + self._first.before(individual_id)
