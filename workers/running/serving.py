"""Runs one part in this process until SIGTERM or SIGINT, an API server or workers. The exit status is then 0."""

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

GARBAGE_THRESHOLD = 10_000  # objects; more than concurrent requests hold at a time, so that collections find garbage
GRACE = 3  # seconds for running requests to end; the supervisor kills the process after 4.5

ASGIApplication = Callable[..., Awaitable[None]]
ProtocolFactory = Callable[..., asyncio.Protocol]
Worker = Callable[[Settings, asyncio.Event], Awaitable[None]]

_log = structlog.get_logger(__name__)


def serve_api(
    application: ASGIApplication, listening: socket.socket, protocol: ProtocolFactory, settings: Settings
) -> None:
    """Serve the API on the listening socket until a signal. `protocol` creates the protocol of each connection."""
    hold_lifeline()
    server = _Server(server_config(application, protocol, settings.keep_alive_seconds))

    # for a signal that arrives before uvicorn sets its handlers, and for one that uvicorn raises again at its end
    def end(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    uvloop.run(server.serve(sockets=[listening]))


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _limit_garbage_collection()


def _limit_garbage_collection() -> None:
    """Exclude all present objects from garbage collection, which would otherwise hold up requests for 0.1 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


def server_config(application: ASGIApplication, protocol: ProtocolFactory, keep_alive: int) -> uvicorn.Config:
    """Return uvicorn's configuration. An idle connection is kept open for `keep_alive` seconds."""
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
        # by default uvicorn trusts X-Forwarded-For from this machine; then any local process could forge addresses
        forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", ""),
    )


def work(settings: Settings, workers: Sequence[Worker]) -> None:
    """Run the workers concurrently. When one ends or fails, all end; after a failure the exit status is 1."""
    hold_lifeline()
    _limit_garbage_collection()
    if not uvloop.run(_run_all(settings, workers)):
        sys.exit(1)


async def _run_all(settings: Settings, workers: Sequence[Worker]) -> bool:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return all(await asyncio.gather(*(_run_one(worker, settings, stop) for worker in workers)))


async def _run_one(worker: Worker, settings: Settings, stop: asyncio.Event) -> bool:
    """Run the worker, then set `stop`; return whether it ended without an error."""
    try:
        await worker(settings, stop)
    except Exception:  # noqa: BLE001 - not raised, because a traceback would quote values
        _log.exception("worker-failed")
        return False
    finally:
        stop.set()  # so that the other workers end too and the supervisor starts the whole part again
    return True
