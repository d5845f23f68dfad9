"""Retries while the database does not answer: commands wait a bounded time and then fail as unavailable."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, TypeVar

from psycopg import AsyncConnection, Error, OperationalError, errors
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from domain.core.errors import Unavailable

R = TypeVar("R")

# Operational errors of psycopg that do not mean that the database is unavailable.
NO_OUTAGES = (errors.DeadlockDetected, errors.SerializationFailure)

# Internal errors of psycopg that mean only that Postgres has ended the session.
ENDED_SESSIONS = (errors.IdleInTransactionSessionTimeout, errors.TransactionTimeout)


def is_outage(error: BaseException) -> bool:
    """Return whether a retry on a new connection may succeed."""
    return isinstance(error, (OperationalError, *ENDED_SESSIONS)) and not isinstance(error, NO_OUTAGES)


def is_lost_connection(error: BaseException) -> bool:
    """Return whether the connection was lost while it was used."""
    if isinstance(error, PoolTimeout) or not is_outage(error):
        return False
    state = error.sqlstate if isinstance(error, Error) else None
    return state is None or state[:3] in {"57P", "080", "25P"}


async def retry_if_lost(ask: Callable[[], Awaitable[R]], repeatable: Callable[[], bool] = lambda: True) -> R:
    """Return the result of `ask`, and repeat it once if its connection is lost; for reads only (ruling O26).

    After the loss, `repeatable` returns whether `ask` may be repeated.
    """
    try:
        return await ask()
    except Error as error:
        if not (is_lost_connection(error) and repeatable()):
            raise
    return await ask()


def retry_until(since: float, max_wait: float) -> AsyncRetrying:
    """Return attempts, with back-off, until `max_wait` seconds after `since`, a time of `monotonic`."""
    return AsyncRetrying(
        retry=retry_if_exception(is_outage),
        stop=stop_after_delay(time_left(since, max_wait)),
        wait=wait_exponential_jitter(multiplier=0.05, max=1, jitter=0.05),
        reraise=True,
    )


async def retry_in_outage(pool: AsyncConnectionPool[Any], work: Callable[[AsyncConnection], Awaitable[R]]) -> R:
    """Return the result of `work` on a connection of the pool, and repeat `work` while the database is unavailable.

    Raises Unavailable when the database does not answer within the time-out of the pool.
    """
    since = monotonic()
    try:
        async with pool.connection() as connection:
            return await work(connection)
    except Error as error:
        if not is_outage(error):
            raise
    try:
        async for attempt in retry_until(since, pool.timeout):
            with attempt:
                async with pool.connection(timeout=time_left(since, pool.timeout)) as connection:
                    return await work(connection)
    except Error as error:
        if not is_outage(error):
            raise
    raise Unavailable


def time_left(since: float, max_wait: float) -> float:
    """Return the seconds that are left of `max_wait` seconds after `since`, at least 0."""
    return max(0, since + max_wait - monotonic())
