"""Names of organizations, each taken once (inline)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.errors import DomainError, NotFound
from domain.organizations.organizations import Organization, OrganizationNameTaken
from projections.core.fold import handler
from projections.core.projection import InlineProjection, Recorded, WriteCursor
from projections.core.unique_rows import UniqueFold, UniqueTable

TABLE = UniqueTable(
    name="organization_names",
    columns={"organization_id": "uuid", "name": "text", "display_name": "text"},
    key=("name",),
    owner=("organization_id",),
)


class OrganizationNamesFold(UniqueFold):
    table = TABLE
    refusal = OrganizationNameTaken

    @handler
    def name(self, event: Organization.Created | Organization.DetailsChanged) -> None:
        row = (event.originator_id, event.name, event.display_name)
        self.hold(row[:1], [row], new=isinstance(event, Organization.Created))


class OrganizationNamesProjection(InlineProjection):
    """The display name stands beside it for whatever lists organizations by their way."""

    name = "organization_names"
    events = OrganizationNamesFold.events

    @property
    def unique_violations(self) -> Mapping[str, type[DomainError]]:
        return {
            "organization_names_name_key": OrganizationNameTaken,
            "organization_names_pkey": OrganizationNameTaken,  # see `UniqueTable.refuse`
        }

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        fold = await OrganizationNamesFold().add_all(events)
        await fold.write(cursor)


async def organization_named(cursor: AsyncCursor, name: str) -> UUID:
    """Return the organization of that name. Raises NotFound."""
    await cursor.execute("SELECT organization_id FROM organization_names WHERE name = %s", [name])
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"No organization has the name {name}.")
    return UUID(str(row[0]))
