"""Leases: a session advisory lock per follower, held on the connection that does the work.

A worker that loses its connection loses the lease and the open transaction together, so no worker goes on without the
lease. Postgres ends a frozen worker's session after ten seconds of silence (`adapters.postgres.session_settings`). It
cannot end a session that is sending to the frozen worker; a standby ends such a session (ruling O29).
"""

from collections.abc import Iterable

from psycopg import AsyncConnection

from projections.core.projection import replicator_id

FROZEN = 8.0  # seconds; together with the interval of a standby's checks less than 15


def lease_key(name: str) -> int:
    """Return the number of the advisory lock of the lease."""
    return int.from_bytes(replicator_id(name).bytes[:8], "big", signed=True)


def rebuild_of(name: str) -> str:
    """Return the name of the lease for rebuilding a projection. Deleting events from its log takes the same lease."""
    return f"rebuild of {name}"


async def take(connection: AsyncConnection, names: Iterable[str]) -> set[str]:
    """Take the leases that are free, until the connection ends; return their names."""
    keys = {lease_key(name): name for name in names}
    cursor = await connection.execute(
        "SELECT key FROM unnest(%s::bigint[]) AS key WHERE pg_try_advisory_lock(key)", (list(keys),)
    )
    return {keys[key] for (key,) in await cursor.fetchall()}


async def end_frozen(connection: AsyncConnection, names: Iterable[str], seconds: float = FROZEN) -> None:
    """End the sessions that hold one of these leases and whose client has not read for `seconds`."""
    await connection.execute(_END_FROZEN, ([lease_key(name) for name in names], seconds))


async def release(connection: AsyncConnection, names: Iterable[str]) -> None:
    """Release these leases, so that other workers can take them."""
    await connection.execute(
        "SELECT pg_advisory_unlock(key) FROM unnest(%s::bigint[]) AS key", ([lease_key(name) for name in names],)
    )


async def release_all(connection: AsyncConnection) -> None:
    """Release all leases of the connection."""
    await connection.execute("SELECT pg_advisory_unlock_all()")


# Neither time-out of Postgres ends such a session: statement time-outs do not apply while it is sending, and TCP
# keepalives do not either, because the kernel of a frozen process still answers.
_END_FROZEN = """
SELECT pg_terminate_backend(held.pid) FROM pg_locks held JOIN pg_stat_activity session USING (pid)
WHERE held.locktype = 'advisory' AND held.objsubid = 1 AND held.granted
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (held.classid::bigint << 32) | held.objid::bigint = ANY(%s)
    AND session.wait_event = 'ClientWrite' AND session.state_change < now() - make_interval(secs => %s)
"""
