"""Names of organizations, each taken once (inline)."""

from uuid import UUID

from psycopg import AsyncCursor

from domain.core.errors import NotFound
from domain.organizations.organizations import Organization, OrganizationNameTaken
from projections.core.fold import handler
from projections.core.unique_rows import UniqueFold, UniqueProjection, UniqueTable

TABLE = UniqueTable(
    name="organization_names",
    columns={"organization_id": "uuid", "name": "text", "display_name": "text"},
    key=("name",),
    owner=("organization_id",),
    constraints=("organization_names_name_key", "organization_names_pkey"),  # the latter by `UniqueTable.refuse`
)


class OrganizationNamesFold(UniqueFold):
    table = TABLE
    refusal = OrganizationNameTaken

    @handler
    def name(self, event: Organization.Created | Organization.DetailsChanged) -> None:
        row = (event.originator_id, event.details.name, event.details.display_name)
        self.hold(row[:1], [row], new=isinstance(event, Organization.Created))


class OrganizationNamesProjection(UniqueProjection):
    """The display name stands beside it for whatever lists organizations by their way."""

    name = "organization_names"
    events = OrganizationNamesFold.events

    def fold(self) -> OrganizationNamesFold:
        return OrganizationNamesFold()


async def organization_named(cursor: AsyncCursor, name: str) -> UUID:
    """Return the organization of that name. Raises NotFound."""
    await cursor.execute("SELECT organization_id FROM organization_names WHERE name = %s", [name])
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"No organization has the name {name}.")
    return UUID(str(row[0]))


async def display_name(cursor: AsyncCursor, organization_id: UUID) -> str | None:
    """Return the display name of the organization."""
    await cursor.execute("SELECT display_name FROM organization_names WHERE organization_id = %s", [organization_id])
    row = await cursor.fetchone()
    return None if row is None else str(row[0])
