"""The inline projections of this version, declared to the logs: from then on older processes may not append."""

from psycopg import AsyncConnection

from adapters.log import inline_fence
from domain.core.ports import Lookup
from migrations.runner import migrations_in
from projections import registry


async def declare_inline(connection: AsyncConnection, lookup: Lookup) -> None:
    """From now on appends apply the inline projections of this version. Raises OutdatedProcess in an older version."""
    schema = migrations_in()[-1].version
    for log in registry.LOGS:
        await inline_fence.declare(connection, log, registry.inline(lookup, log), schema)
