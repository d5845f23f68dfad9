"""Lists of individuals, of whom there may be a million: the work follows the page (docs/decisions/0010).

A whole organization is a range of an index and a kept count. What a user has besides (as owner, by shares, by groups)
is counted, and collected only up to the id where the page must end. With filters, few candidates are checked one by
one, many are joined.
"""

from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.ports import AccessQuery, Operation
from projections.access.checks import decide
from projections.access.filters import NO_FILTER, IndividualFilter, IndividualList
from projections.access.index import AccessIndex
from projections.access.index_pages import page_from
from projections.access.limits import LIMITS, ListLimits
from projections.access.pages import NONE, PAGE, Ids, Reach, Slice, cut, page_of
from projections.access.policy import POLICIES, WHOLE
from projections.core.visibility import Viewer

_SPACE = 1 << 128
_LAST = UUID(int=_SPACE - 1)


_REACH = f"""
SELECT u.unlimited, ARRAY(
    SELECT w.organization_id FROM ({WHOLE}) w
    WHERE w.user_id = u.user_id ORDER BY organization_id)
FROM access_users u WHERE u.user_id = %(user)s AND u.live
"""

_EVERYBODY = """
SELECT coalesce((SELECT total FROM access_totals WHERE kind = 'individual'), 0),
       ARRAY(SELECT individual_id FROM access_individuals ORDER BY individual_id LIMIT %(limit)s OFFSET %(offset)s)
"""
_EVERYBODY_OF_ORGANIZATION = """
SELECT coalesce((SELECT individuals FROM access_organizations WHERE organization_id = %(organization)s), 0),
       ARRAY(SELECT individual_id FROM individual_organizations WHERE organization_id = %(organization)s
             ORDER BY individual_id LIMIT %(limit)s OFFSET %(offset)s)
"""

_OTHERS = "SELECT DISTINCT s.resource_id AS id FROM ({grants}) s WHERE s.user_id = %(user)s"
# OFFSET 0 keeps the planner from reading whole organizations to look up a few individuals in them.
_NOT_OF_WHOLE = """
    AND (s.organization_id IS NULL OR s.organization_id <> ALL(%(whole)s::uuid[]))
    AND NOT EXISTS (SELECT FROM individual_organizations b
                    WHERE b.individual_id = s.resource_id AND b.organization_id = ANY(%(whole)s::uuid[]) OFFSET 0)"""

# In an organization that the user does not have as a whole: what of it they have singly, or by another one.
_BY_ANOTHER = """
    UNION ALL
    SELECT %(user)s::uuid, b.individual_id, b.organization_id FROM individual_organizations b
    WHERE b.organization_id = %(organization)s AND b.several AND EXISTS (
        SELECT FROM individual_organizations a
        WHERE a.individual_id = b.individual_id AND a.organization_id = ANY(%(whole)s::uuid[]) OFFSET 0)"""
_IN_ORGANIZATION = """
    AND (s.organization_id IS NOT DISTINCT FROM %(organization)s::uuid OR EXISTS (
        SELECT FROM individual_organizations b
        WHERE b.individual_id = s.resource_id AND b.organization_id = %(organization)s::uuid OFFSET 0))"""

# Individuals of several of the organizations are counted once.
_COUNT_WHOLE = """
    + (SELECT sum(individuals) FROM access_organizations WHERE organization_id = ANY(%(whole)s::uuid[]))
    - (SELECT count(*) - count(DISTINCT individual_id) FROM individual_organizations
       WHERE several AND organization_id = ANY(%(whole)s::uuid[]))"""

# An organization gives no more than the page can need. An individual of several of them counts in the first, so that
# no individual is in two ranges and the ranges need no sorting together.
_RANGE = """(
    SELECT b.individual_id AS id FROM individual_organizations b
    WHERE b.organization_id = %(whole{place})s AND NOT (b.several AND EXISTS (
        SELECT FROM individual_organizations a
        WHERE a.individual_id = b.individual_id AND a.organization_id = ANY(%(whole)s::uuid[])
          AND a.organization_id < b.organization_id OFFSET 0))
    ORDER BY b.individual_id LIMIT %(end)s)"""

# Many candidates: each is looked up in the whole organizations, all are intersected with the others.
_CANDIDATES_MINE = """others AS MATERIALIZED ({others}), candidates AS MATERIALIZED ({candidates}),
mine AS MATERIALIZED (
    SELECT id FROM candidates WHERE EXISTS (
        SELECT FROM individual_organizations b
        WHERE b.individual_id = id AND b.organization_id = ANY(%(whole)s::uuid[]) OFFSET 0)
    UNION ALL
    (SELECT id FROM candidates INTERSECT SELECT id FROM others))"""

# Filters that nearly everybody passes: all that the user has is looked at.
_MINE_PASSING = """others AS MATERIALIZED ({others}),
mine AS MATERIALIZED (
    {candidates} AND r.individual_id IN (
        SELECT individual_id FROM individual_organizations WHERE organization_id = ANY(%(whole)s::uuid[]))
    UNION ALL
    {candidates} AND r.individual_id IN (SELECT id FROM others))"""


async def accessible_individuals(
    cursor: AsyncCursor,
    user_id: UUID,
    operation: Operation,
    page: Slice,
    *,
    organization_id: UUID | None = None,
    filters: IndividualFilter = NO_FILTER,
    viewer: Viewer | None = None,
    index: AccessIndex | None = None,
    limits: ListLimits = LIMITS,
) -> Ids:
    """Return the individuals on whom the user has the operation, of those that the filters let through.

    `viewer` is the caller, who is shown everything unless one is given.

    Several statements: run it in one snapshot. With an index that serves this snapshot a long list costs little.
    """
    parameters: dict[str, Any] = {"user": user_id, "organization": organization_id, **page._asdict()}
    await cursor.execute(_REACH, parameters, prepare=True)
    row = await cursor.fetchone()
    if row is None:
        return NONE
    reach = Reach(*row)
    viewer = viewer or Viewer(user_id, unlimited=True)
    parameters["whole"] = reach.whole
    parameters |= {f"whole{place}": each for place, each in enumerate(reach.whole)}
    listing = IndividualList(reach, operation, page, filters, viewer, parameters)
    if index is not None and not filters.textual and (view := await index.view(cursor)) is not None:
        return await page_from(cursor, view, listing)
    if filters or (organization_id and not viewer.knows_members_of(organization_id)):
        return await _filtered(cursor, listing, limits.few)
    if organization_id and (reach.unlimited or organization_id in reach.whole):
        return await page_of(cursor, _EVERYBODY_OF_ORGANIZATION, parameters)
    if reach.unlimited:
        return await page_of(cursor, _EVERYBODY, parameters)
    return await _merged(cursor, [] if organization_id else reach.whole, listing, limits)


async def _merged(cursor: AsyncCursor, ranges: list[UUID], listing: IndividualList, limits: ListLimits) -> Ids:
    policy, page, parameters = POLICIES["individual", listing.operation], listing.page, listing.parameters
    organization_id = parameters["organization"]
    total_of_all = f"others {_COUNT_WHOLE if ranges else ''}"
    others = _others(policy.counted, parameters["whole"], organization_id)
    count = f"SELECT others, {total_of_all} FROM (SELECT count(*) AS others FROM ({others}) o) counted"
    await cursor.execute(count, parameters, prepare=True)
    row = await cursor.fetchone()
    assert row is not None
    single, total = int(row[0]), int(row[1])
    end = min(page.offset + page.limit, total)
    if end <= page.offset:
        return Ids(total, [])
    parameters["end"] = end
    statement = _page_up_to_an_id(_others(policy.single, parameters["whole"], organization_id), len(ranges))
    while True:
        last = _id_after(end, single, limits)
        await cursor.execute(statement, parameters | {"last": last}, prepare=True)
        row = await cursor.fetchone()
        assert row is not None
        if last == _LAST or row[0] >= end:
            return Ids(total, row[1])
        single //= 8  # the ids are not spread evenly: look further


def _id_after(count: int, of: int, limits: ListLimits) -> UUID:
    """Return an id that probably has at least so many of them before it: ours are spread evenly."""
    before = count + count // 4 + limits.spare
    return _LAST if of <= limits.few or before >= of else UUID(int=_SPACE * before // of)


def _page_up_to_an_id(others: str, ranges: int) -> str:
    """Return the SQL of the page, which is right if enough of the others stand up to that id."""
    parts = ["SELECT id FROM others", *(_RANGE.format(place=place) for place in range(ranges))]
    return f"""
WITH others AS MATERIALIZED ({others} AND s.resource_id <= %(last)s)
SELECT (SELECT count(*) FROM others), ARRAY(
    SELECT id FROM ({" UNION ALL ".join(parts)}) mine ORDER BY id LIMIT %(limit)s OFFSET %(offset)s)"""


def _others(grants: str, whole: list[UUID], organization_id: UUID | None = None) -> str:
    """Return the SQL of what the user has besides whole organizations; with `organization_id` of all in it."""
    if organization_id is None:
        return _OTHERS.format(grants=grants) + (_NOT_OF_WHOLE if whole else "")
    return _OTHERS.format(grants=grants + (_BY_ANOTHER if whole else "")) + _IN_ORGANIZATION


async def _filtered(cursor: AsyncCursor, listing: IndividualList, few: int) -> Ids:
    """Return the page of a filter, planned anew for its values: what is rare decides where to begin."""
    reach, filters = listing.reach, listing.filters
    resolved, condition = await filters.resolved(cursor, listing.parameters["organization"], listing.viewer)
    parameters = resolved | listing.parameters
    candidates = f"SELECT r.individual_id AS id FROM access_individuals r WHERE {condition}"
    if filters.selective and not reach.unlimited:
        await cursor.execute(f"{candidates} LIMIT {few + 1}", parameters, prepare=False)
        found = [row[0] for row in await cursor.fetchall()]
        if len(found) <= few:
            queries = [AccessQuery("individual", each, listing.operation) for each in found]
            allowed = await decide(cursor, parameters["user"], queries)
            return cut((each for each, yes in zip(found, allowed, strict=True) if yes), listing.page)
    others = _others(POLICIES["individual", listing.operation].counted, reach.whole)
    if reach.unlimited:
        mine = "mine AS MATERIALIZED ({candidates})"
    else:
        mine = _CANDIDATES_MINE if filters.selective else _MINE_PASSING
    collected = mine.format(others=others, candidates=candidates)
    return await page_of(cursor, PAGE.format(collected=collected), parameters, prepare=False)
