"""Runs one part in this process until SIGTERM or SIGINT: an API server, or workers. Its exit status is then 0."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import structlog
import uvicorn
import uvloop

from adapters.settings import Settings
from workers.running.lifeline import hold_lifeline

ALLOCATIONS = 10_000  # more than a busy moment needs at one time, so that hardly anything is looked at for nothing
GRACE = 3  # seconds for requests under way; the supervisor kills after 4.5

ASGIApplication = Callable[..., Awaitable[None]]
ProtocolFactory = Callable[..., asyncio.Protocol]
Worker = Callable[[Settings, asyncio.Event], Awaitable[None]]

_log = structlog.get_logger(__name__)


def serve_api(
    application: ASGIApplication, listening: socket.socket, protocol: ProtocolFactory, settings: Settings
) -> None:
    """One API process, on the supervisor's socket or on one of its own; `protocol` makes that of each connection."""
    hold_lifeline()
    server = _Server(server_config(application, protocol, settings.keep_alive_seconds))

    def end(*_: object) -> None:  # for a signal before uvicorn takes over, and for uvicorn, which raises it again after
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    uvloop.run(server.serve(sockets=[listening]))


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _spare_the_collector()


def _spare_the_collector() -> None:
    """What is there after the start stays: looking at all of it for garbage would hold everybody up for 0.1 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS)


def server_config(application: ASGIApplication, protocol: ProtocolFactory, keep_alive: int) -> uvicorn.Config:
    """How the application is served; a connection without a request is kept for `keep_alive` seconds."""
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", protocol),  # uvicorn only calls it
        ws="none",
        timeout_keep_alive=keep_alive,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        # uvicorn believes whoever calls from this machine; then anybody there is a new address with each request
        forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", ""),
    )


def work(settings: Settings, workers: Sequence[Worker]) -> None:
    """The given workers, side by side; when one ends or fails, all end. After a failure the exit status is 1."""
    hold_lifeline()
    _spare_the_collector()
    if not uvloop.run(_until_told(settings, workers)):
        sys.exit(1)


async def _until_told(settings: Settings, workers: Sequence[Worker]) -> bool:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return all(await asyncio.gather(*(_went_well(worker, settings, stop) for worker in workers)))


async def _went_well(worker: Worker, settings: Settings, stop: asyncio.Event) -> bool:
    try:
        await worker(settings, stop)
    except Exception:  # noqa: BLE001 - not raised, because a traceback would quote values
        _log.exception("worker-failed")
        return False
    finally:
        stop.set()  # a worker that ends by itself takes the others along, so that the part is started anew as a whole
    return True
