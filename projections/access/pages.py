"""Shared by all lists of the authorization engine: a page of ids, and the number of all."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor


class Slice(NamedTuple):
    """Which part of a list is wanted; a limit of 0 asks for the total only."""

    limit: int
    offset: int


class Ids(NamedTuple):
    """A page of ids in order, and how many there are altogether."""

    total: int
    ids: list[UUID]


class Reach(NamedTuple):
    """How far a user's rights on individuals go without asking for single ones."""

    unlimited: bool
    whole: list[UUID]


NONE = Ids(0, [])

# One statement, so that the page and its total belong together wherever it is run.
PAGE = """
WITH {collected}
SELECT (SELECT count(*) FROM mine),
       ARRAY(SELECT id FROM mine ORDER BY id LIMIT %(limit)s OFFSET %(offset)s)
"""

OF_ORGANIZATION = {
    "group": "SELECT group_id FROM access_groups WHERE organization_id = %(organization)s",
    "organization": "SELECT %(organization)s::uuid",
    "individual": "SELECT individual_id FROM individual_organizations WHERE organization_id = %(organization)s",
}


async def page_of(cursor: AsyncCursor, statement: str, parameters: dict[str, Any], *, prepare: bool = True) -> Ids:
    """Return the answer of a statement that selects a total and an array of ids."""
    await cursor.execute(statement, parameters, prepare=prepare)
    row = await cursor.fetchone()
    assert row is not None
    return Ids(*row)


def cut(ids: Iterable[UUID], page: Slice) -> Ids:
    """Return the page of a few ids at hand."""
    ordered = sorted(ids)
    return Ids(len(ordered), ordered[page.offset : page.offset + page.limit])
