"""Organizations as lists and detail pages show them (background)."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row, dict_row

from domain.organizations.organizations import Organization
from domain.people.login_names import folded
from projections.core.fold import Fold, handler
from projections.core.projection import Projection, Recorded
from projections.core.rows import add_to_totals, upsert
from projections.core.visibility import SHOWN_ORGANIZATIONS, Viewer


class OrganizationRow(NamedTuple):
    """`whole` is false for those who may see the display attributes only (ruling E10)."""

    organization_id: UUID
    name: str
    display_name: str
    classification: str
    provider_type: str
    timezone: str
    theme_id: UUID | None
    authorization_type: str
    active: bool
    modified_at: datetime
    whole: bool = True

    @classmethod
    def of(cls, organization: Organization) -> "OrganizationRow":
        """Return the row that the projection will make of it."""
        return cls(
            organization.id,
            **vars(organization.details),
            authorization_type=organization.authorization_type,
            active=organization.active,
            modified_at=organization.modified_on,
        )


class OrganizationsFold(Fold):
    """The rows of a batch's organizations, and by how many more are active and inactive."""

    def __init__(self, rows: dict[UUID, dict[str, Any]]) -> None:
        self.rows = rows
        self.totals: Counter[bool] = Counter()

    @handler
    def create(self, event: Organization.Created) -> None:
        self.totals[True] += 1
        authorization = {"authorization_type": event.authorization_type, "active": True}
        row = {"organization_id": event.originator_id, **vars(event.details), **authorization}
        self.rows[event.originator_id] = row
        self._change(event)

    @handler
    def change_details(self, event: Organization.DetailsChanged) -> None:
        self._change(event, **vars(event.details))

    @handler
    def change_authorization_type(self, event: Organization.AuthorizationTypeChanged) -> None:
        self._change(event, authorization_type=event.authorization_type)

    @handler
    def activate(self, event: Organization.Activated | Organization.Deactivated) -> None:
        active = isinstance(event, Organization.Activated)
        self.totals[active] += 1
        self.totals[not active] -= 1
        self._change(event, active=active)

    def _change(self, event: Any, **values: Any) -> None:
        self.rows[event.originator_id].update(values, modified_at=event.timestamp)


class OrganizationsProjection(Projection):
    name = "organizations"
    tables = ("organizations", "organization_totals")
    events = OrganizationsFold.events

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """Read the rows that the batch changes, fold it into them, write them back."""
        rows = cursor.connection.cursor(row_factory=dict_row)
        await rows.execute(_ROWS, [list({event.originator_id for _, event in events})])
        known = {row["organization_id"]: row for row in await rows.fetchall()}
        fold = await OrganizationsFold(known).add_all(events)
        await upsert(cursor, "organizations", ("organization_id",), fold.rows.values())
        totals = ({"active": active, "total": change} for active, change in fold.totals.items())
        await add_to_totals(cursor, "organization_totals", ("active",), totals)


COLUMNS = OrganizationRow._fields[:-1]
_COLUMNS = ", ".join(f"o.{name}" for name in COLUMNS)
_ROWS = f"SELECT {', '.join(COLUMNS)} FROM organizations WHERE organization_id = ANY(%s)"


class OrganizationFilter(NamedTuple):
    """`modified` are bounds as (comparator, time), all of which hold; with them the order is that of the time."""

    name: str | None = None
    name_contains: str | None = None
    modified: Sequence[tuple[str, datetime]] = ()
    include_inactive: bool = False

    @property
    def conditions(self) -> list[str]:
        """SQL over `o`, with the parameters of `parameters`."""
        found = [] if self.include_inactive else ["o.active"]
        if self.name is not None:
            found.append("o.name = %(name)s")
        if self.name_contains is not None:
            found.append("strpos(o.name, %(contains)s) > 0")
        return found + [f"o.modified_at {comparator} %(bound{n})s" for n, (comparator, _) in enumerate(self.modified)]

    @property
    def parameters(self) -> dict[str, Any]:
        bounds = {f"bound{n}": moment for n, (_, moment) in enumerate(self.modified)}
        # names have small letters and digits only, so they are their own folded values
        contains = None if self.name_contains is None else folded(self.name_contains)
        return {"name": self.name, "contains": contains, **bounds}


async def organizations(
    cursor: AsyncCursor, viewer: Viewer, filters: OrganizationFilter, *, limit: int, offset: int
) -> tuple[list[OrganizationRow], int]:
    """Return a page of the organizations that the viewer is shown, and how many there are."""
    count, page = statements(filters, everything=viewer.reads_all)
    parameters = {**filters.parameters, "viewer": viewer.user_id, "limit": limit, "offset": offset}
    await cursor.execute(count, parameters)
    total = await cursor.fetchone()
    assert total is not None
    rows = cursor.connection.cursor(row_factory=class_row(OrganizationRow))
    await rows.execute(page, parameters)
    return await rows.fetchall(), int(total[0])


def statements(filters: OrganizationFilter, *, everything: bool) -> tuple[str, str]:
    """Return the SQL that counts and that of a page, whose ids come from an index: only its own rows are fetched."""
    order = "o.modified_at, o.organization_id" if filters.modified else "o.name, o.organization_id"
    source, whole = _seen(everything=everything)
    seen = [whole] if filters.modified else []  # the time is not among the display attributes
    where = " AND ".join([*filters.conditions, *seen] or ["true"])
    count = f"SELECT count(*) FROM {source} WHERE {where}"
    if everything and filters in (OrganizationFilter(), OrganizationFilter(include_inactive=True)):
        count = f"SELECT coalesce(sum(o.total), 0)::bigint FROM organization_totals o WHERE {where}"
    page = f"""
        SELECT {_COLUMNS}, page.whole
        FROM (SELECT o.organization_id, {whole} AS whole FROM {source} WHERE {where} ORDER BY {order}
              LIMIT %(limit)s OFFSET %(offset)s) page
        JOIN organizations o USING (organization_id) ORDER BY {order}
    """
    return count, page


async def organization(cursor: AsyncCursor, viewer: Viewer, organization_id: UUID) -> OrganizationRow | None:
    """Return an organization; None when there is none or the viewer is not shown it."""
    source, whole = _seen(everything=viewer.reads_all)
    rows = cursor.connection.cursor(row_factory=class_row(OrganizationRow))
    await rows.execute(
        f"SELECT {_COLUMNS}, {whole} AS whole FROM {source} WHERE o.organization_id = %(organization)s",
        {"viewer": viewer.user_id, "organization": organization_id},
    )
    return await rows.fetchone()


def _seen(*, everything: bool) -> tuple[str, str]:
    """Return what to select from, and the expression that tells whether all attributes are shown."""
    if everything:
        return "organizations o", "true"
    return f"organizations o JOIN ({SHOWN_ORGANIZATIONS}) v USING (organization_id)", "v.whole"
