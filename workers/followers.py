"""Everything that follows a log, and the rows that show it: there from the first start on, whoever runs."""

from psycopg import AsyncConnection

from domain.ports import Lookup
from projections import registry, replicators
from projections.projection import Projection
from workers.reactions import reactions


def all_followers() -> list[Projection]:
    """Everything that follows the identity log by a position of its own."""
    return [*registry.background(), *reactions()]


async def register_all(connection: AsyncConnection, lookup: Lookup) -> None:
    """Make the rows that are missing."""
    await replicators.register(connection, [*registry.inline(lookup), *all_followers()])
    await replicators.register(connection, registry.inline_of_sessions(), "sessions")
