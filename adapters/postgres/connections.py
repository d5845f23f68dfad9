"""Connections to Postgres: pools, and single connections outside of pools (rulings O26, O29)."""

import asyncio
import contextlib
import select
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from typing import Any, TypeVar

from psycopg import AsyncConnection, AsyncCursor, AsyncPipeline, Error
from psycopg.waiting import READY_R, WAIT_R, WAIT_RW
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from adapters.postgres.outages import retry_if_lost

WAIT_FOR_CONNECTION = 20.0
RETRY_PAUSE = 0.5
RETRY_WAIT = 0.05

R = TypeVar("R")

Connection = AsyncConnection[tuple[Any, ...]]

# Seconds, for tcp_user_timeout milliseconds, after which the client gives up on a silent network.
CLIENT_SETTINGS: Mapping[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class PipelineConnection(Connection):
    """A connection whose pipelines may send more than fits into the socket's buffer, and end with their first error."""

    @contextlib.asynccontextmanager
    async def pipeline(self) -> AsyncIterator[AsyncPipeline]:
        """Enter pipeline mode, and raise the first error of the block or, if it has none, of its statements.

        Postgres refuses all statements after the one that failed. psycopg logs these refusals as a warning when they
        arrive after the error, so a refusal that belongs to the day's work would sometimes be in the log.
        """
        failure: BaseException | None = None
        try:
            async with super().pipeline() as pipeline:
                try:
                    yield pipeline
                except BaseException as error:  # noqa: BLE001 - raised below
                    failure = error
        except Error:
            if failure is None:
                raise
        if failure is not None:
            raise failure

    async def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Run psycopg's generator `gen`, but send everything before waiting for an answer."""
        return await super().wait(self._send_before_reading(gen), *args, **kwargs)

    def _send_before_reading(self, gen: Any) -> Generator[Any, Any, Any]:
        """Flush while `gen` waits to read.

        psycopg's pipeline stops sending when the socket's buffer is full and no statement is left. It would then wait
        for an answer to data that it has not sent.
        """
        ready: Any = None
        while True:
            try:
                event = gen.send(ready)
            except StopIteration as end:
                return end.value
            if event == WAIT_R and self.pgconn.flush():
                ready = (yield WAIT_RW) & READY_R
            else:
                ready = yield event


class Pool(AsyncConnectionPool[Connection]):
    """A pool of autocommit connections, which are checked when they are taken.

    A connection that Postgres has closed is replaced before the caller gets it. While the database does not answer, the
    pool retries twice per second, because the back-off of psycopg_pool doubles without a limit. Autocommit is enabled
    again on each connection that is returned.
    """

    def __init__(
        self,
        dsn: str,
        *,
        application_name: str,
        min_size: int = 1,
        max_size: int,
        timeout: float = WAIT_FOR_CONNECTION,
    ) -> None:
        """`dsn` contains the settings of the sessions: see `adapters.postgres.session_settings`.

        `timeout` is how many seconds callers wait for a connection, and commands for a database that does not answer.
        """
        super().__init__(
            dsn,
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            open=False,
            kwargs={"application_name": application_name, **CLIENT_SETTINGS},
            configure=_enable_autocommit,  # not in `kwargs`, to which procrastinate adds an autocommit of its own
            reconnect_timeout=0,
            reconnect_failed=_retry_soon,
        )
        self.retrying: asyncio.Task[None] | None = None

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 - as in its base
        """Return a connection that Postgres has not closed. Raises PoolTimeout."""
        while True:
            connection = await super().getconn(timeout)
            if not _was_closed_by_server(connection):
                return connection
            await connection.close()
            await self.putconn(connection)

    async def ask(self, query: Callable[[AsyncCursor[tuple[Any, ...]]], Awaitable[R]]) -> R:
        """Return the result of `query`, and repeat it once if its connection is lost (ruling O26).

        A write in `query` may happen twice.
        """

        async def ask() -> R:
            async with self.connection() as connection:
                return await query(connection.cursor())

        return await retry_if_lost(ask)

    async def putconn(self, conn: Connection) -> None:
        """Return a connection to the pool, with autocommit enabled again."""
        if not conn.closed and not conn.autocommit:
            await conn.set_autocommit(True)
        await super().putconn(conn)

    async def close(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - as in its base
        """Close the pool and all its connections."""
        if self.retrying is not None:
            self.retrying.cancel()
            await asyncio.gather(self.retrying, return_exceptions=True)
        await super().close(timeout)


async def _enable_autocommit(connection: AsyncConnection[Any]) -> None:
    """Enable autocommit, so that a statement takes one round trip and not three."""
    await connection.set_autocommit(True)


def _was_closed_by_server(connection: AsyncConnection[Any]) -> bool:
    """Return whether Postgres ended the session while the connection was idle, by one system call without a round trip.

    An idle session sends data only when it ends or when a setting of the server changes.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def _retry_soon(pool: AsyncConnectionPool[Any]) -> None:
    """Start retrying after a failed attempt to connect, unless a retry is running."""
    assert isinstance(pool, Pool)
    if pool.retrying is None or pool.retrying.done():
        pool.retrying = asyncio.create_task(_retry(pool), name=f"{pool.name}-retry")


async def _retry(pool: Pool) -> None:
    """Take a connection repeatedly until it succeeds, because a pool connects only when a caller needs a connection."""
    while not pool.closed:
        await asyncio.sleep(RETRY_PAUSE)
        with contextlib.suppress(PoolTimeout, PoolClosed):
            await pool.putconn(await pool.getconn(RETRY_WAIT))
            return


async def connect(dsn: str, *, application_name: str) -> PipelineConnection:
    """Open an autocommit connection outside of any pool.

    `dsn` contains the settings of the session: see `adapters.postgres.session_settings`.
    """
    return await PipelineConnection.connect(dsn, autocommit=True, application_name=application_name, **CLIENT_SETTINGS)
