"""Checks: may these users do this? All of one call's questions are one statement, so one snapshot (ruling G16)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from domain.ports import AccessQuery
from projections.access_policy import APP, POLICIES, SYSTEM

Kind = tuple[str, str, bool]
"""Type, operation, and whether it asks about a given resource."""

_GIVEN = """
SELECT {place}::smallint, u.user_id, r.{key} FROM access_users u, {source}
WHERE u.user_id = ANY(%(users)s::uuid[]) AND u.live AND r.{key} = ANY(%(ids{place})s::uuid[])
  AND ({everyone} OR EXISTS (
    SELECT FROM ({grants}) granted WHERE granted.user_id = u.user_id AND granted.resource_id = r.{key}))"""

_ANY = """
SELECT {place}::smallint, u.user_id, NULL::uuid FROM access_users u
WHERE u.user_id = ANY(%(users)s::uuid[]) AND u.live
  AND (EXISTS (SELECT FROM {source} WHERE {everyone})
    OR EXISTS (SELECT FROM ({grants}) granted WHERE granted.user_id = u.user_id))"""

_OF_THE_USER = """
SELECT {place}::smallint, u.user_id, NULL::uuid FROM access_users u
WHERE u.user_id = ANY(%(users)s::uuid[]) AND u.live AND ({condition})"""


async def decide(cursor: AsyncCursor, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
    """One answer per query. An unknown user or resource is a no."""
    return (await decide_many(cursor, [user_id], queries))[0]


async def decide_many(
    cursor: AsyncCursor, user_ids: Sequence[UUID], queries: Sequence[AccessQuery]
) -> list[list[bool]]:
    """For each user, in order, one answer per query."""
    asked: dict[Kind, set[UUID]] = {}
    for query in queries:
        asked.setdefault(_kind(query), set()).update([query.resource_id] if isinstance(query.resource_id, UUID) else [])
    if not asked or not user_ids:
        return [[] for _ in user_ids]
    kinds = tuple(sorted(asked))
    places = {kind: place for place, kind in enumerate(kinds)}
    parameters: dict[str, Any] = {"users": list(dict.fromkeys(user_ids))}
    for kind, place in places.items():
        parameters[f"ids{place}"] = list(asked[kind])
        parameters[f"name{place}"] = kind[0].removeprefix("app.")
    await cursor.execute(_statement(kinds), parameters, prepare=True)
    allowed = set(await cursor.fetchall())
    wanted = [(places[_kind(query)], query.resource_id if _kind(query)[2] else None) for query in queries]
    return [[(place, user_id, resource) in allowed for place, resource in wanted] for user_id in user_ids]


def _kind(query: AccessQuery) -> Kind:
    return query.resource_type, query.operation, isinstance(query.resource_id, UUID)


@lru_cache(maxsize=256)
def _statement(kinds: tuple[Kind, ...]) -> str:
    return "\nUNION ALL".join(_branch(kind, place) for place, kind in enumerate(kinds))


def _branch(kind: Kind, place: int) -> str:
    resource_type, operation, given = kind
    policy = POLICIES.get((resource_type, operation))
    if policy is not None:
        return (_GIVEN if given else _ANY).format(place=place, **vars(policy))
    condition = SYSTEM[operation] if resource_type == "system" else APP.format(name=f"%(name{place})s")
    return _OF_THE_USER.format(place=place, condition=condition)
