"""Notifications of Postgres: one LISTEN connection per process, opened again whenever it is lost."""

import asyncio
from collections.abc import Callable
from typing import Self

import psycopg
import structlog
from psycopg import sql

from adapters.background import BackgroundTask
from adapters.postgres.connections import connect

LOG = "rollbook_log"  # payload: the position of the log's head
PROJECTED = "rollbook_projected"  # payload: "name,name:position"

HEARTBEAT = 5.0  # seconds between trials of the connection; a session that is silent for 15 ends
RETRY = 0.2

Heard = Callable[[str | None], None]

_log = structlog.get_logger(__name__)


class Notifications:
    """Calls back for each notification on the channels that were asked for.

    A callback gets the payload, and None whenever the connection was made (again): whatever happened before then
    went unheard, so look for yourself. Nobody may rely on hearing everything at once: poll slowly beside it.
    The URL has to lead to Postgres itself; a pooler in transaction mode passes no notifications on.
    """

    def __init__(self, listen_url: str) -> None:
        self._url = listen_url
        self._callbacks: dict[str, list[Heard]] = {}
        self._task = BackgroundTask("notifications", self._listen)
        self.connected = asyncio.Event()

    def on(self, channel: str, callback: Heard) -> None:
        """Call back for this channel. Callbacks are plain functions that return at once; ask before `start`."""
        self._callbacks.setdefault(channel, []).append(callback)

    def start(self) -> None:
        """Listen from now on. Returns at once; while Postgres is away it keeps trying."""
        self._task.start()

    async def stop(self) -> None:
        """End the connection."""
        await self._task.cancel()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_until_lost()
            except (psycopg.Error, OSError) as error:
                if self._task.stopping:
                    return
                _log.warning("listener-lost", reason=type(error).__name__)
            finally:
                self.connected.clear()
            await asyncio.sleep(RETRY)

    async def _listen_until_lost(self) -> None:
        async with await connect(self._url, application_name="rollbook-listener") as connection:
            for channel in self._callbacks:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self.connected.set()
            for channel in self._callbacks:
                self._tell(channel, None)
            while True:
                async for notification in connection.notifies(timeout=HEARTBEAT):
                    self._tell(notification.channel, notification.payload)
                await connection.execute("SELECT 1")  # raises when the other side is gone without a word

    def _tell(self, channel: str, payload: str | None) -> None:
        for callback in self._callbacks[channel]:
            try:
                callback(payload)
            except Exception:  # noqa: BLE001 - whatever one listener makes of it, the others go on hearing
                _log.exception("notification-not-understood", channel=channel)
