"""When the database does not answer: commands wait a bounded time and are then refused as unavailable."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from psycopg import AsyncConnection, OperationalError, errors
from psycopg_pool import AsyncConnectionPool
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from domain.errors import Unavailable

R = TypeVar("R")

SECONDS_TO_RECOVER = 20.0

# psycopg counts these among its operational errors, but the database is well.
NO_OUTAGES = (errors.DeadlockDetected, errors.SerializationFailure)


def is_outage(error: BaseException) -> bool:
    """Whether trying again may help, on a new connection."""
    return isinstance(error, OperationalError) and not isinstance(error, NO_OUTAGES)


def until_it_answers(since: float) -> AsyncRetrying:
    """Tries, until SECONDS_TO_RECOVER after `since` (as `monotonic` tells)."""
    return AsyncRetrying(
        retry=retry_if_exception(is_outage),
        stop=stop_after_delay(_left(since)),
        wait=wait_exponential_jitter(multiplier=0.05, max=1, jitter=0.05),
        reraise=True,
    )


async def patiently(pool: AsyncConnectionPool, work: Callable[[AsyncConnection], Awaitable[R]]) -> R:
    """What `work` answers on a connection of the pool. It may run more than once. Raises Unavailable."""
    since = monotonic()
    try:
        async with pool.connection(timeout=SECONDS_TO_RECOVER) as connection:
            return await work(connection)
    except OperationalError as error:
        if not is_outage(error):
            raise
    try:
        async for attempt in until_it_answers(since):
            with attempt:
                async with pool.connection(timeout=_left(since)) as connection:
                    return await work(connection)
    except OperationalError as error:
        if not is_outage(error):
            raise
    raise Unavailable


def _left(since: float) -> float:
    return max(0, since + SECONDS_TO_RECOVER - monotonic())
