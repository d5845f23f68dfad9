"""Organization codes (inline), with what lists show beside them."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.organizations.enrollment_codes import (
    OrganizationCode,
    OrganizationCodeFields,
    OrganizationCodeTaken,
    organization_code_id,
)
from domain.people.sign_ups import SignUp
from projections.core.projection import Event, Recorded, WriteCursor
from projections.core.records import RecordTable
from projections.core.visibility import IN_READ_ORGANIZATION


class OrganizationCodesTable(RecordTable[OrganizationCodeFields]):
    """The table of the codes, which also counts the sign-ups with each."""

    @property
    def events(self) -> tuple[type[Event], ...]:
        return (*super().events, SignUp.Created)

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        for counts, run in groupby(events, key=lambda recorded: isinstance(recorded.event, SignUp.Created)):
            some = list(run)
            if counts:
                signed_up = [event for _, event in some if isinstance(event, SignUp.Created)]
                await cursor.execute(_COUNT, [[organization_code_id(event.code) for event in signed_up]])
            else:
                await super().apply(cursor, some)


ORGANIZATION_CODES = OrganizationCodesTable(
    "organization_codes",
    OrganizationCode,
    OrganizationCodeTaken,
    order="r.code_key",
    visible=IN_READ_ORGANIZATION,
    derived=lambda fields: {"code_key": fields.code.lower()},
)


class Surroundings(NamedTuple):
    """The names of a code's organization and group, and how many people have signed up with it."""

    id: UUID
    name: str
    display_name: str
    group_name: str | None
    sign_ups: int


async def surroundings(cursor: AsyncCursor, ids: Iterable[UUID]) -> dict[UUID, Surroundings]:
    """Return the surroundings of codes by id."""
    rows = cursor.connection.cursor(row_factory=class_row(Surroundings))
    await rows.execute(_SURROUNDINGS, [list(ids)])
    return {row.id: row for row in await rows.fetchall()}


_COUNT = """
UPDATE organization_codes c SET sign_ups = c.sign_ups + made.number
FROM (SELECT id, count(*) AS number FROM unnest(%s::uuid[]) AS id GROUP BY id) made WHERE c.id = made.id"""
_SURROUNDINGS = """
SELECT c.id, n.name, n.display_name, g.name AS group_name, c.sign_ups
FROM organization_codes c JOIN organization_names n USING (organization_id)
LEFT JOIN groups g ON g.group_id = c.individual_group_id
WHERE c.id = ANY(%s)"""
