"""A connection that sends the statements of a pipeline together.

psycopg hands each statement of a pipeline to the server at once. For statements as short as ours that system call, and
waking the server for it, takes longer than the statement: five of them were half of what an append costs.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg.waiting import READY_R, WAIT_R, WAIT_RW


class AppendConnection(AsyncConnection[tuple[Any, ...]]):
    """As its base, but for what is executed inside `holding`, in a pipeline, and has no result that is waited for."""

    _holds = False

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Statements executed inside stay here until the pipeline is synchronised, or ends."""
        self._holds = True
        try:
            yield
        finally:
            self._holds = False

    async def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """What psycopg runs every statement by: up to where it is queued and asks for the socket, and no further."""
        if not self._holds:
            return await super().wait(self._sent_before_reading(gen), *args, **kwargs)
        next(gen)
        gen.close()
        return None

    def _sent_before_reading(self, gen: Any) -> Generator[Any, Any, Any]:
        """Send everything before waiting for an answer.

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
