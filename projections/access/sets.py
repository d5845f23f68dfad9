"""Individuals of groups, organizations, owners and shares as sets of ranks in the order of ids (decision 0025)."""

import asyncio
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, overload
from uuid import UUID

from psycopg import AsyncCursor
from pyroaring import BitMap

from projections.access.filters import ACCOUNT_TYPES, FLAGS

NOBODY = BitMap()
REMEMBERED = 64
_PIECE = 50_000


class Ranking(Sequence[UUID]):
    """Individuals in the order of their ids."""

    def __init__(self, ids: bytes) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids) // 16

    @overload
    def __getitem__(self, rank: int) -> UUID: ...
    @overload
    def __getitem__(self, rank: slice) -> list[UUID]: ...
    def __getitem__(self, rank: int | slice) -> UUID | list[UUID]:
        if isinstance(rank, slice):
            return [self[each] for each in range(*rank.indices(len(self)))]
        return UUID(bytes=self._bytes(rank))

    def before(self, individual_id: UUID) -> int:
        """Return how many have a smaller id."""
        return bisect_left(range(len(self)), individual_id.bytes, key=self._bytes)

    def _bytes(self, rank: int) -> bytes:
        return self._ids[rank * 16 : rank * 16 + 16]

    def ranks(self, individual_ids: Iterable[UUID]) -> BitMap:
        """Return the ranks of those who are among them."""
        found = ((each, self.before(each)) for each in individual_ids)
        return BitMap([rank for each, rank in found if rank < len(self) and self[rank] == each])


@dataclass(frozen=True)
class Sets:
    """Sets of one snapshot, by the bytes of ids; `owners` are the individuals whose owners have a flag or type."""

    individuals: Ranking
    groups: dict[bytes, BitMap]
    organizations: dict[bytes, BitMap]
    owned: dict[bytes, BitMap]
    shared: dict[bytes, BitMap]
    shared_to_write: dict[bytes, BitMap]
    owners: dict[str, BitMap]

    def everybody(self) -> BitMap:
        return BitMap(range(len(self.individuals)))

    def of(self, organization_ids: Iterable[UUID]) -> BitMap:
        """Return those of at least one of the organizations."""
        return _union(self.organizations, (each.bytes for each in organization_ids))

    def owned_by(self, organization_ids: Iterable[UUID]) -> BitMap:
        """Return those that one of the organizations owns."""
        return _union(self.owned, (each.bytes for each in organization_ids))

    @cached_property
    def placed(self) -> Callable[[bytes], BitMap]:
        """Return those of at least one of the groups; `group_ids` are the bytes of their ids, one after the other.

        Remembered for a while, because lists are read page after page and a union of thousands takes milliseconds.
        """
        return lru_cache(REMEMBERED)(self._placed)

    def _placed(self, group_ids: bytes) -> BitMap:
        return _union(self.groups, {group_ids[start : start + 16] for start in range(0, len(group_ids), 16)})


async def sets_of(cursor: AsyncCursor, among: Sequence[UUID] | None = None) -> Sets:
    """Return the sets in the cursor's snapshot; of everybody, or of a few."""
    statements = _OF_EVERYBODY if among is None else _AMONG_A_FEW
    parameters = {} if among is None else {"among": list(among)}

    async def rows(statement: str) -> list[tuple[bytes, ...]]:
        await cursor.execute(statement, parameters, prepare=True, binary=True)
        return await cursor.fetchall()

    ((ids,),) = await rows(statements.ids)
    (of_owners,) = await rows(statements.owners)
    groups, organizations, owned, shared, shared_to_write = [
        {key: await _set(ranks) for key, ranks in await rows(statement)} for statement in statements.keyed
    ]
    owners = {name: await _set(ranks) for name, ranks in zip(_OWNER_NAMES, of_owners, strict=True)}
    return Sets(Ranking(ids), groups, organizations, owned, shared, shared_to_write, owners)


async def _set(ranks: bytes | None) -> BitMap:
    """Return ranks of four bytes each, as Postgres sends them, as a set; in turns with other tasks."""
    found = array("I", ranks or b"")
    if sys.byteorder == "little":
        found.byteswap()
    made = BitMap()
    for start in range(0, len(found), _PIECE):
        made |= BitMap(found[start : start + _PIECE])
        await asyncio.sleep(0)
    return made


def _union(sets: dict[bytes, BitMap], keys: Iterable[bytes]) -> BitMap:
    return BitMap.union(NOBODY, *(sets[each] for each in keys if each in sets))


TABLES = ("access_individuals", "individual_organizations", "individual_users", "group_individuals", "users")
"""The tables that the statements below read."""


class _Statements(NamedTuple):
    ids: str
    keyed: list[str]
    owners: str


# Key and rows, in the order of Sets. Indexes alone answer all but the facts about owners.
_KEYED = (
    ("group_id", "group_individuals"),
    ("organization_id", "individual_organizations"),
    ("owner_id", "access_organizations JOIN access_individuals ON owner_id = organization_id"),
    ("user_id", "individual_users"),
    ("user_id", "(SELECT user_id, individual_id FROM individual_users WHERE writes) writers"),
)
_OWNER_NAMES = (*sorted(FLAGS), *ACCOUNT_TYPES)
_CONDITIONS = (*sorted(FLAGS), *(f"account_type = '{each}'" for each in ACCOUNT_TYPES))
_FACTS = ", ".join((*sorted(FLAGS), "account_type"))
_EACH_OWNER = ", ".join(f"string_agg(rank, ''::bytea) FILTER (WHERE {each})" for each in _CONDITIONS)


def _statements(some: str, joined: str) -> _Statements:
    ids = "string_agg(uuid_send(individual_id), ''::bytea ORDER BY individual_id)"
    ranked = f"""
        WITH ranked AS MATERIALIZED (
            SELECT individual_id, int4send((row_number() OVER (ORDER BY individual_id) - 1)::int) AS rank
            FROM access_individuals {some})"""
    owned = f"""(
        SELECT i.individual_id, {_FACTS} FROM access_individuals i JOIN users ON user_id = owner_id) owned"""
    return _Statements(
        f"SELECT coalesce({ids}, '') FROM access_individuals {some}",
        [
            f"{ranked} SELECT uuid_send({key}), string_agg(rank, ''::bytea)"
            f" FROM {joined.format(columns=key, rows=rows)} GROUP BY {key}"
            for key, rows in _KEYED
        ],
        f"{ranked} SELECT {_EACH_OWNER} FROM {joined.format(columns=_FACTS, rows=owned)}",
    )


_OF_EVERYBODY = _statements("", "{rows} JOIN ranked USING (individual_id)")
# A few are looked up one by one, whatever the planner thinks of it.
_AMONG_A_FEW = _statements(
    "WHERE individual_id = ANY(%(among)s::uuid[])",
    """ranked CROSS JOIN LATERAL (
        SELECT {columns} FROM {rows} WHERE individual_id = ranked.individual_id OFFSET 0) found""",
)
