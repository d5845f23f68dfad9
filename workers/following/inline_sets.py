"""Declares the inline projections of this version to the logs. After that, older processes may not append."""

from psycopg import AsyncConnection

from adapters.log import inline_fence
from domain.core.ports import Lookup
from migrations.runner import migrations_in
from projections import registry


async def declare_inline(connection: AsyncConnection, lookup: Lookup) -> None:
    """Declare this version's inline projections to all logs. Raises OutdatedProcess if a newer version has declared."""
    schema = migrations_in()[-1].version
    for log in registry.LOGS:
        await inline_fence.declare(connection, log, registry.inline(lookup, log), schema)
