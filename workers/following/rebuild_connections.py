"""The connections of a rebuild, and the heartbeat that shows that it is alive."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from psycopg import AsyncConnection, errors
from psycopg_pool import AsyncConnectionPool

from adapters.postgres import connections
from adapters.postgres.arrays import send_arrays_in_binary
from adapters.postgres.session_settings import session_dsn


async def connect(dsn: str, search_path: str) -> AsyncConnection:
    """Open a connection whose locks end soon after this process is killed, even during a statement."""
    rebuild_dsn = session_dsn(
        dsn,
        "rebuild",
        search_path=search_path,
        synchronous_commit="off",
        client_connection_check_interval="500ms",
    )
    connection = await connections.connect(rebuild_dsn, application_name="rollbook-rebuild")
    return send_arrays_in_binary(connection)


@contextlib.asynccontextmanager
async def record_heartbeat(pool: AsyncConnectionPool, name: str, seconds: float) -> AsyncIterator[None]:
    """Record every `seconds` that the rebuild is alive, even during a long statement."""
    done = asyncio.Event()

    async def beat() -> None:
        while not done.is_set():
            with contextlib.suppress(errors.OperationalError):
                async with pool.connection() as connection:
                    await connection.execute("UPDATE rebuilds SET alive_at = now() WHERE name = %s", (name,))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), seconds)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        done.set()
        await beating
