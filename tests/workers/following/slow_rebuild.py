"""A rebuild that takes its time, in a process to be killed."""

import asyncio
import sys
from collections.abc import Sequence

from psycopg_pool import AsyncConnectionPool

from adapters.security.keyring import Keyring
from domain.core.recorded import Recorded
from projections.core import replicators
from projections.core.projection import WriteCursor
from tests.support.followers import EventCount
from tests.support.stores import MASTER_KEY
from workers.following import rebuild


class SlowCount(EventCount):
    """Stays in its second batch."""

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await super().apply(cursor, events)
        if events[0].position > 1:
            await cursor.execute("SELECT pg_sleep(60)")


async def main(database_url: str) -> None:
    async with AsyncConnectionPool(database_url, min_size=1, max_size=3, open=False) as pool:
        async with pool.connection() as connection:
            await replicators.register(connection, [SlowCount()])
        await rebuild.rebuild_one(database_url, pool, Keyring(pool, MASTER_KEY), SlowCount(), print, batch=100)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
