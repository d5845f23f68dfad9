"""Lists: the ids of what a user may do something on, a page of them and how many there are.

Groups and organizations are thousands at most and are collected; individuals have a file of their own.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.ports import LISTABLE, AccessQuery, Operation
from projections.access.checks import decide
from projections.access.index import AccessIndex
from projections.access.limits import LIMITS, ListLimits
from projections.access.pages import NONE, OF_ORGANIZATION, PAGE, Ids, Slice, cut, page_of
from projections.access.policy import POLICIES
from projections.access.readable_individuals import accessible_individuals
from projections.core.visibility import OWNS, Viewer

_MINE = """
    SELECT r.{key} AS id FROM access_users u, {source}
    WHERE u.user_id = %(user)s AND u.live AND (u.unlimited OR u.staff) AND ({everyone})
    UNION
    SELECT granted.resource_id FROM access_users u JOIN ({grants}) granted USING (user_id)
    WHERE u.user_id = %(user)s AND u.live
"""


async def accessible(
    cursor: AsyncCursor,
    user_id: UUID,
    queries: Sequence[AccessQuery],
    page: Slice,
    organization_id: UUID | None = None,
    viewer: Viewer | None = None,
    index: AccessIndex | None = None,
    limits: ListLimits = LIMITS,
) -> Ids:
    """Return the resources on which all queries without an id are true; the others are conditions (semantics, 6.3).

    The queries without an id ask about one type. Without any, the resources that the others name. Several
    statements: run it in one snapshot.
    """
    open_queries = [query for query in queries if query.resource_id is None]
    guards = [query for query in queries if query.resource_id is not None]
    if guards and not all(await decide(cursor, user_id, guards)):
        return NONE
    if not open_queries:
        return await _named(cursor, guards, page, organization_id, viewer or Viewer(user_id, unlimited=True))
    resource_type = open_queries[0].resource_type
    operations = {query.operation for query in open_queries}
    if resource_type == "individual":
        operation: Operation = "write" if "write" in operations else "read"
        return await accessible_individuals(
            cursor, user_id, operation, page, organization_id=organization_id, viewer=viewer, index=index, limits=limits
        )
    parameters = {"user": user_id, "organization": organization_id, **page._asdict()}
    return await _collected(cursor, resource_type, operations, parameters)


async def _collected(
    cursor: AsyncCursor, resource_type: str, operations: Iterable[str], parameters: dict[str, Any]
) -> Ids:
    sets = [_MINE.format(**vars(POLICIES[resource_type, operation])) for operation in sorted(operations)]
    if parameters["organization"]:
        sets.append(OF_ORGANIZATION[resource_type])
    collected = " INTERSECT ".join(f"({each})" for each in sets)
    return await page_of(cursor, PAGE.format(collected=f"mine AS MATERIALIZED ({collected})"), parameters)


async def _named(
    cursor: AsyncCursor, guards: Sequence[AccessQuery], page: Slice, organization_id: UUID | None, viewer: Viewer
) -> Ids:
    """Return the resources that queries with an id name, all of which are true."""
    named: dict[str, list[UUID]] = {resource_type: [] for resource_type in LISTABLE}
    for query in guards:
        if isinstance(query.resource_id, UUID) and query.resource_id not in named[query.resource_type]:
            named[query.resource_type].append(query.resource_id)
    if organization_id is not None:
        for resource_type in LISTABLE:
            seen = "true"
            if resource_type == "individual" and not viewer.knows_members_of(organization_id):
                owned = OWNS.format(owner="owner_id")
                seen = f"id IN (SELECT individual_id FROM access_individuals WHERE {owned})"
            await cursor.execute(
                f"SELECT id FROM unnest(%(ids)s::uuid[]) AS named(id)"
                f" WHERE id IN ({OF_ORGANIZATION[resource_type]}) AND {seen}",
                {"ids": named[resource_type], "organization": organization_id, **viewer.parameters()},
            )
            named[resource_type] = [row[0] for row in await cursor.fetchall()]
    return cut(list(chain.from_iterable(named.values())), page)
