"""Pages of individuals from the index: sets for those who did not change, the tables for the last few."""

from typing import Any

from psycopg import AsyncCursor

from projections.access.choices import choice_of
from projections.access.filters import IndividualList
from projections.access.index import View
from projections.access.pages import Ids
from projections.access.policy import POLICIES
from projections.access.runs import Listed, Merged, Ranked, Run

# The fences keep the planner, who cannot know how few they are, from looking up everybody at once.
_SINGLE = """
SELECT r.individual_id, {condition} AND (%(unlimited)s OR EXISTS (
    SELECT FROM ({grants}) granted
    WHERE granted.user_id = %(user)s AND granted.resource_id = r.individual_id OFFSET 0))
FROM (
    SELECT unnest(%(looked_up)s::uuid[])
    UNION SELECT individual_id FROM access_users JOIN access_individuals ON owner_id = user_id
    WHERE user_id = ANY(%(owners)s::uuid[])) single(id)
CROSS JOIN LATERAL (SELECT * FROM access_individuals WHERE individual_id = single.id OFFSET 0) r
"""


async def page_from(cursor: AsyncCursor, view: View, listing: IndividualList) -> Ids:
    """Return the page and the total as of the cursor's snapshot, which the view is of."""
    resolved, condition = await listing.filters.resolved(
        cursor, listing.parameters["organization"], listing.viewer, one_by_one=True
    )
    listing = listing._replace(parameters=resolved | listing.parameters)
    choose = await choice_of(cursor, listing)
    single = await _single(cursor, view, listing, condition)
    found: Run = Listed([each for each, allowed in single.items() if allowed])
    for sets, tombstones in reversed(view.layers):  # the largest comes last
        found = Merged(Ranked(sets.individuals, choose(sets) - tombstones - sets.individuals.ranks(single)), found)
    return Ids(len(found), found.cut(listing.page.offset, listing.page.limit))


async def _single(cursor: AsyncCursor, view: View, listing: IndividualList, condition: str) -> dict[Any, bool]:
    """Return whether the tables have each of those to look up, of the user's own and of those named by owners."""
    asked = {
        "looked_up": view.looked_up,
        "owners": [listing.parameters["user"], *listing.filters.exclude_owner_ids],
        "unlimited": listing.reach.unlimited,
    }
    statement = _SINGLE.format(condition=condition, grants=POLICIES["individual", listing.operation].grants)
    await cursor.execute(statement, listing.parameters | asked, prepare=True)
    return dict(await cursor.fetchall())
