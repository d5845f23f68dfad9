"""The processes that are measured: `rollbook api` and `rollbook worker`, `rollbook up`, and a bare route."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from adapters.settings import Settings
from bench.http import HOST, connect
from workers.running.readiness import becomes_ready

READY_PATIENCE = 60.0  # seconds
STOP_PATIENCE = 10.0  # seconds
THROTTLES = (
    "login_failures", "login_failures_address", "logins_address", "code_requests", "code_requests_address",
    "code_failures", "code_failures_address", "lookup_misses_address",
)  # fmt: skip
"""Settings that a benchmark may change."""
PROJECT = Path(__file__).parents[1]
ROLLBOOK = (sys.executable, "-m", "workers.cli")  # the code of this folder, even if another version is installed


class Server(NamedTuple):
    """The port of a running server and the ids of its processes."""

    port: int
    api: int
    worker: int = 0


@asynccontextmanager
async def product(settings: Settings) -> AsyncIterator[Server]:
    """Run one API process and one worker; yield when they are ready."""
    port = free_port()
    environment = _environment(settings) | {"ROLLBOOK_PORT": str(port)}
    async with (
        _process([*ROLLBOOK, "worker"], environment) as worker,
        _process([*ROLLBOOK, "api"], environment) as api,
    ):
        await _wait_for(port)
        yield Server(port, api, worker)


@asynccontextmanager
async def everything(data: Path) -> AsyncIterator[Server]:
    """Run `rollbook up` on this data folder with embedded servers; yield when it is ready."""
    port = free_port()
    servers = {"DATABASE_URL", "REDIS_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in servers and "ROLLBOOK_" not in name}
    environment |= {"ROLLBOOK_DATA": str(data), "ROLLBOOK_PORT": str(port)}
    async with _process([*ROLLBOOK, "up"], environment) as supervisor:
        await _wait_for(port)
        yield Server(port, supervisor)


@asynccontextmanager
async def bare_route() -> AsyncIterator[Server]:
    """Run a route that does nothing on the same HTTP server."""
    port = free_port()
    async with _process([sys.executable, "-m", "bench.bare", str(port)], dict(os.environ)) as process:
        for _ in range(500):
            try:
                (await connect(port)).close()
                break
            except OSError:
                await asyncio.sleep(0.02)
        yield Server(port, process)


async def _wait_for(port: int) -> None:
    if not await becomes_ready(HOST, port, READY_PATIENCE):
        raise AssertionError(f"not ready after {READY_PATIENCE:.0f} s")


def free_port() -> int:
    """Return a port that is free at this moment."""
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])


@asynccontextmanager
async def _process(command: Sequence[str], environment: dict[str, str]) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=PROJECT, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_PATIENCE)
            except TimeoutError:
                process.kill()
                await process.wait()


def _environment(settings: Settings) -> dict[str, str]:
    redis = settings.redis()
    assert redis is not None
    return os.environ | {
        "DATABASE_URL": settings.plain_owner_dsn(),
        "REDIS_URL": redis,
        "ROLLBOOK_DATA": str(settings.data),
        "ROLLBOOK_METRICS": "true",
        **{f"ROLLBOOK_{name.upper()}": str(getattr(settings, name)) for name in THROTTLES},
        "ROLLBOOK_SERVICE_ACCOUNTS": ",".join(
            f"{account.namespace}/{account.name}:{account.token.get_secret_value()}"
            for account in settings.service_accounts
        ),
    }
