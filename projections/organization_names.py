"""Names of organizations, each taken once (inline)."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from psycopg import AsyncCursor

from domain.errors import DomainError
from domain.organizations import Organization, OrganizationNameTaken
from projections.projection import Event, Mode, Recorded


class OrganizationNamesProjection:
    """The display name stands beside it for whatever lists organizations by their way."""

    name: ClassVar[str] = "organization_names"
    version: ClassVar[int] = 1
    mode: ClassVar[Mode] = Mode.INLINE
    tables: ClassVar[tuple[str, ...]] = ("organization_names",)
    events: ClassVar[tuple[type[Event], ...] | None] = (Organization.Created, Organization.Described)
    taken: ClassVar[dict[str, type[DomainError]]] = {"organization_names_name_key": OrganizationNameTaken}

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        """The last word on each organization."""
        names: dict[UUID, tuple[str, str]] = {}
        for _, event in events:
            match event:
                case Organization.Created() | Organization.Described():
                    names[event.originator_id] = (event.name, event.display_name)
        if names:
            await cursor.execute(
                """
                INSERT INTO organization_names (organization_id, name, display_name)
                SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[])
                ON CONFLICT (organization_id) DO UPDATE SET name = EXCLUDED.name, display_name = EXCLUDED.display_name
                """,
                [list(names), [name for name, _ in names.values()], [display for _, display in names.values()]],
            )
