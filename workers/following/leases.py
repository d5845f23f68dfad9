"""Leases: a session advisory lock per follower, held on the connection that does the work.

A worker that loses its connection loses lease and open transaction together, so no worker goes on without the lease.
A frozen worker's session ends after ten seconds of silence (`adapters.postgres.session_settings`). One that Postgres
cannot end by itself, because it waits for the worker to read, is ended by a standby (ruling O29).
"""

from collections.abc import Iterable

from psycopg import AsyncConnection

from projections.core.projection import replicator_id

FROZEN = 8.0  # seconds; with the time between looks of a standby less than 15


def lease_key(name: str) -> int:
    """The number of the advisory lock."""
    return int.from_bytes(replicator_id(name).bytes[:8], "big", signed=True)


def rebuild_of(name: str) -> str:
    """Return the name of the lease for rebuilding a projection, or for deleting from its log."""
    return f"rebuild of {name}"


async def take(connection: AsyncConnection, names: Iterable[str]) -> set[str]:
    """Those of the leases that were free and are ours from now on, until the connection ends."""
    keys = {lease_key(name): name for name in names}
    cursor = await connection.execute(
        "SELECT key FROM unnest(%s::bigint[]) AS key WHERE pg_try_advisory_lock(key)", (list(keys),)
    )
    return {keys[key] for (key,) in await cursor.fetchall()}


async def end_frozen(connection: AsyncConnection, names: Iterable[str], seconds: float = FROZEN) -> None:
    """End the sessions that hold one of these leases and have not been read from for so many seconds."""
    await connection.execute(_END_FROZEN, ([lease_key(name) for name in names], seconds))


async def give_back(connection: AsyncConnection, names: Iterable[str]) -> None:
    """Others may take them."""
    await connection.execute(
        "SELECT pg_advisory_unlock(key) FROM unnest(%s::bigint[]) AS key", ([lease_key(name) for name in names],)
    )


async def give_back_all(connection: AsyncConnection) -> None:
    """Others may take whatever was ours."""
    await connection.execute("SELECT pg_advisory_unlock_all()")


# Statement time-outs do not reach a session that is sending, and the network of a frozen process is alive.
_END_FROZEN = """
SELECT pg_terminate_backend(held.pid) FROM pg_locks held JOIN pg_stat_activity session USING (pid)
WHERE held.locktype = 'advisory' AND held.objsubid = 1 AND held.granted
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (held.classid::bigint << 32) | held.objid::bigint = ANY(%s)
    AND session.wait_event = 'ClientWrite' AND session.state_change < now() - make_interval(secs => %s)
"""
