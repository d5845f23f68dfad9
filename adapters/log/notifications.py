"""Notifications of Postgres, over one LISTEN connection per process, which is opened again whenever it is lost."""

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

HEARTBEAT = 5.0  # seconds between two tests of the connection; Postgres ends a session that is idle for 15
RETRY = 0.2  # seconds

Callback = Callable[[str | None], None]

_log = structlog.get_logger(__name__)


class Notifications:
    """Calls the callbacks of a channel for each of its notifications.

    A callback gets the payload. It gets None each time the connection is opened, because notifications before that were
    missed. Callers must also poll, because notifications may be late or missing. The URL must be that of Postgres: a
    pooler in transaction mode does not forward notifications.
    """

    def __init__(self, listen_url: str) -> None:
        self._url = listen_url
        self._callbacks: dict[str, list[Callback]] = {}
        self._task = BackgroundTask("notifications", self._listen)
        self.connected = asyncio.Event()

    def on(self, channel: str, callback: Callback) -> None:
        """Add a callback for the channel, before `start`. Callbacks are synchronous and must return quickly."""
        self._callbacks.setdefault(channel, []).append(callback)

    def start(self) -> None:
        """Start listening and return at once. While Postgres is unavailable, the task retries."""
        self._task.start()

    async def stop(self) -> None:
        """Stop listening and close the connection."""
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
                self._call_back(channel, None)
            while True:
                async for notification in connection.notifies(timeout=HEARTBEAT):
                    self._call_back(notification.channel, notification.payload)
                await connection.execute("SELECT 1")  # raises if the connection was lost silently

    def _call_back(self, channel: str, payload: str | None) -> None:
        for callback in self._callbacks[channel]:
            try:
                callback(payload)
            except Exception:  # noqa: BLE001 - the other callbacks are called all the same
                _log.exception("notification-callback-failed", channel=channel)
