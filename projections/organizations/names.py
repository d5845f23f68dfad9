"""Names of organizations, each taken once (inline)."""

from collections.abc import Sequence
from typing import ClassVar

from psycopg import AsyncCursor

from domain.core.errors import DomainError
from domain.organizations.organizations import Organization, OrganizationNameTaken
from projections.core.projection import Event, Mode, Recorded
from projections.core.unique_rows import UniqueFold, UniqueTable

TABLE = UniqueTable(
    name="organization_names",
    columns={"organization_id": "uuid", "name": "text", "display_name": "text"},
    key=("name",),
    owner=("organization_id",),
)


class OrganizationNamesProjection:
    """The display name stands beside it for whatever lists organizations by their way."""

    name: ClassVar[str] = "organization_names"
    version: ClassVar[int] = 1
    mode: ClassVar[Mode] = Mode.INLINE
    tables: ClassVar[tuple[str, ...]] = (TABLE.name,)
    events: ClassVar[tuple[type[Event], ...] | None] = (Organization.Created, Organization.DetailsChanged)
    unique_violations: ClassVar[dict[str, type[DomainError]]] = {
        "organization_names_name_key": OrganizationNameTaken,
        "organization_names_pkey": OrganizationNameTaken,  # see `UniqueTable.refuse`
    }

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """The last word on each organization."""
        fold = UniqueFold(TABLE, OrganizationNameTaken)
        for position, event in events:
            match event:
                case Organization.Created() | Organization.DetailsChanged():
                    row = (event.originator_id, event.name, event.display_name)
                    fold.hold(position, row[:1], [row], new=isinstance(event, Organization.Created))
        await fold.write(cursor)
