"""Checks: may these users do this? All of one call's questions are one statement, so one snapshot (ruling G16)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor

from domain.ports import AccessQuery
from projections.access_policy import APP, POLICIES, SYSTEM

Kind = tuple[str, str, bool]
"""Type, operation, and whether it asks about a given resource."""

_GIVEN = """
SELECT {place}::smallint, u.user_id, r.{key} FROM access_users u, {source}
WHERE u.user_id {users} AND u.live AND r.{key} {ids}
  AND ({everyone} OR EXISTS (
    SELECT FROM ({grants}) granted WHERE granted.user_id = u.user_id AND granted.resource_id = r.{key}))"""

_ANY = """
SELECT {place}::smallint, u.user_id, NULL::uuid FROM access_users u
WHERE u.user_id {users} AND u.live
  AND ((u.unlimited OR u.staff) AND EXISTS (SELECT FROM {source} WHERE {everyone})
    OR EXISTS (SELECT FROM ({grants}) granted WHERE granted.user_id = u.user_id))"""

_OF_THE_USER = """
SELECT {place}::smallint, u.user_id, NULL::uuid FROM access_users u
WHERE u.user_id {users} AND u.live AND ({condition})"""

# The position stands in the same snapshot, so an answer costs one round trip and no transaction.
_WITH_POSITION = """
SELECT head.position, allowed.* FROM log_head head LEFT JOIN ({branches}
) AS allowed(place, user_id, resource_id) ON true WHERE head.log = 'identity'"""

_HEAD = "SELECT position FROM log_head WHERE log = 'identity'"

_MOST_WRITTEN_OUT = 64


class Decisions(NamedTuple):
    """For each user, in order, one answer per query, all as of this position."""

    position: int
    allowed: list[list[bool]]


async def decide(cursor: AsyncCursor, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
    """One answer per query. An unknown user or resource is a no."""
    return (await decide_many(cursor, [user_id], queries))[0]


async def decide_many(
    cursor: AsyncCursor, user_ids: Sequence[UUID], queries: Sequence[AccessQuery]
) -> list[list[bool]]:
    """For each user, in order, one answer per query."""
    return (await decisions(cursor, user_ids, queries)).allowed


async def decisions(cursor: AsyncCursor, user_ids: Sequence[UUID], queries: Sequence[AccessQuery]) -> Decisions:
    """As `decide_many`, with the position that the answers are of."""
    asked: dict[Kind, set[UUID]] = {}
    for query in queries:
        asked.setdefault(_kind(query), set()).update([query.resource_id] if isinstance(query.resource_id, UUID) else [])
    if not asked or not user_ids:
        await cursor.execute(_HEAD)
        (head,) = await cursor.fetchone() or (0,)
        return Decisions(head, [[] for _ in user_ids])
    kinds = tuple(sorted(asked))
    places = {kind: place for place, kind in enumerate(kinds)}
    users, parameters = _one_of("user", list(dict.fromkeys(user_ids)))
    sizes = []
    for kind, place in places.items():
        size, ids = _one_of(f"id{place}_", list(asked[kind]))
        sizes.append(size)
        parameters |= ids
        parameters[f"name{place}"] = kind[0].removeprefix("app.")
    await cursor.execute(_statement(kinds, users, tuple(sizes)), parameters, prepare=True)
    rows = await cursor.fetchall()
    allowed = {row[1:] for row in rows}
    wanted = [(places[_kind(query)], query.resource_id if _kind(query)[2] else None) for query in queries]
    answers = [[(place, user_id, resource) in allowed for place, resource in wanted] for user_id in user_ids]
    return Decisions(rows[0][0], answers)


def _kind(query: AccessQuery) -> Kind:
    return query.resource_type, query.operation, isinstance(query.resource_id, UUID)


def _one_of(name: str, ids: list[UUID]) -> tuple[str, dict[str, Any]]:
    """A condition on an id and its parameters, the same text for some counts of ids (repeated ones change nothing).

    Written out, because Postgres takes an array whose length it does not know for ten ids, finds such a plan dearer
    than one for the ids at hand, and so plans every single check again: 2.5 ms instead of 0.2 ms.
    """
    if len(ids) <= 1:
        return f"= %({name}0)s", dict.fromkeys([f"{name}0"], ids[0] if ids else None)
    if len(ids) > _MOST_WRITTEN_OUT:
        return f"= ANY(%({name}s)s::uuid[])", {f"{name}s": ids}
    size = 1 << (len(ids) - 1).bit_length()
    names = [f"{name}{place}" for place in range(size)]
    written_out = ", ".join(f"%({each})s" for each in names)
    return f"= ANY(ARRAY[{written_out}]::uuid[])", dict(zip(names, ids + ids[:1] * (size - len(ids)), strict=True))


@lru_cache(maxsize=256)
def _statement(kinds: tuple[Kind, ...], users: str, ids: tuple[str, ...]) -> str:
    branches = "\nUNION ALL".join(_branch(kind, place, users, ids[place]) for place, kind in enumerate(kinds))
    return _WITH_POSITION.format(branches=branches)


def _branch(kind: Kind, place: int, users: str, ids: str) -> str:
    resource_type, operation, given = kind
    policy = POLICIES.get((resource_type, operation))
    if policy is not None:
        return (_GIVEN if given else _ANY).format(place=place, users=users, ids=ids, **vars(policy))
    condition = SYSTEM[operation] if resource_type == "system" else APP.format(name=f"%(name{place})s")
    return _OF_THE_USER.format(place=place, users=users, condition=condition)
