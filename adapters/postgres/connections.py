"""How this product connects to Postgres: pools, and connections outside of pools (rulings O26, O29)."""

import asyncio
import contextlib
import select
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, TypeVar

from psycopg import AsyncConnection, AsyncCursor
from psycopg.waiting import READY_R, WAIT_R, WAIT_RW
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from adapters.postgres.outages import again_if_lost

WAIT_FOR_CONNECTION = 20.0
RETRY_PAUSE = 0.5
RETRY_WAIT = 0.05

R = TypeVar("R")

Connection = AsyncConnection[tuple[Any, ...]]

# Seconds (the last one milliseconds) after which the client gives up on a network that says nothing.
CLIENT_SETTINGS: Mapping[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class PipelineConnection(Connection):
    """A connection whose pipelines may send more than a socket holds."""

    async def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Run what psycopg asks for, and send everything before waiting for an answer."""
        return await super().wait(self._sent_before_reading(gen), *args, **kwargs)

    def _sent_before_reading(self, gen: Any) -> Generator[Any, Any, Any]:
        """Flush while `gen` wants to read.

        A pipeline of psycopg stops sending when the socket is full and no statement is left. What is larger than the
        socket's buffer would then wait for an answer that Postgres has no reason to give.
        """
        ready: Any = None
        while True:
            try:
                wanted = gen.send(ready)
            except StopIteration as end:
                return end.value
            if wanted == WAIT_R and self.pgconn.flush():
                ready = (yield WAIT_RW) & READY_R
            else:
                ready = yield wanted


class Pool(AsyncConnectionPool[Connection]):
    """Connections that commit each statement by themselves, checked when they are taken.

    A connection that Postgres has closed is replaced before it reaches the caller. While the database is away, the pool
    tries to connect several times a second: the back-off of psycopg_pool doubles without a limit. A connection that
    comes back changed is restored.
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
            configure=_let_statements_commit,  # procrastinate connects with `kwargs` and an autocommit of its own
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

    async def ask(self, question: Callable[[AsyncCursor[tuple[Any, ...]]], Awaitable[R]]) -> R:
        """Return the result of `question`, and repeat it once if its connection is lost (ruling O26).

        A write in `question` may happen twice.
        """

        async def ask() -> R:
            async with self.connection() as connection:
                return await question(connection.cursor())

        return await again_if_lost(ask)

    async def putconn(self, conn: Connection) -> None:
        """Take a connection back, with the settings that it was given out with."""
        if not conn.closed and not conn.autocommit:
            await conn.set_autocommit(True)
        await super().putconn(conn)

    async def close(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - as in its base
        """Close all connections; nothing can be taken any more."""
        if self.retrying is not None:
            self.retrying.cancel()
            await asyncio.gather(self.retrying, return_exceptions=True)
        await super().close(timeout)


async def _let_statements_commit(connection: AsyncConnection[Any]) -> None:
    """Enable autocommit: one statement is then one round trip, not three."""
    await connection.set_autocommit(True)


def _was_closed_by_server(connection: AsyncConnection[Any]) -> bool:
    """Whether Postgres ended the session while the connection was idle. One system call, no round trip.

    An idle session sends nothing, unless to say that it ends or that a setting of the server has changed.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def _retry_soon(pool: AsyncConnectionPool[Any]) -> None:
    """Called when an attempt to connect has failed."""
    assert isinstance(pool, Pool)
    if pool.retrying is None or pool.retrying.done():
        pool.retrying = asyncio.create_task(_retry(pool), name=f"{pool.name}-retry")


async def _retry(pool: Pool) -> None:
    """Ask for a connection until there is one, because a pool connects only when it is asked."""
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
