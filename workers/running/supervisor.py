"""`rollbook up`: one process that starts the servers, migrates, creates the first administrator and runs all parts."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from pydantic import SecretStr

from adapters.embedded.account import home_of, open_folder
from adapters.embedded.launcher import EmbeddedServer, ServerFailedError
from adapters.embedded.postgres import CONNECTIONS, EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.metrics import SHARED_FOLDER
from adapters.security.key_files import with_keys
from adapters.settings import Settings
from migrations.runner import migrate
from workers.running.database_login import with_application_login
from workers.running.folder_claim import FolderClaim
from workers.running.lifeline import LIFELINE, LISTENING
from workers.running.listening import listen
from workers.running.part_secrets import environment
from workers.running.parts import Part, PartCommand
from workers.running.readiness import becomes_ready

WATCH_INTERVAL = 0.25  # seconds
READY_PATIENCE = 30.0  # seconds
DIRECT_CONNECTIONS = 6  # of an API process beside its pools: writers and listeners
OTHER_CONNECTIONS = 40  # of workers and commands, and a reserve


class Plan(NamedTuple):
    """The parts to run, and `bootstrap`, which runs after the migrations and returns lines to print."""

    parts: Sequence[PartCommand]
    bootstrap: Callable[[Settings], Awaitable[Sequence[str]]]


class Supervisor:
    """Runs the servers and all parts until a signal stops it, and then ends them all."""

    def __init__(self, settings: Settings, plan: Plan, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._plan = plan
        self._say = say
        self._servers: list[EmbeddedServer] = []
        self._parts: list[Part] = []
        self._keeping: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP; return when all servers and parts have ended."""
        signalled = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, signalled.set)
        stopping = asyncio.create_task(signalled.wait())
        with contextlib.ExitStack() as held:
            start = asyncio.create_task(self._start(held))
            try:
                await asyncio.wait({start, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if start.done():
                    start.result()
                    done, _ = await asyncio.wait({stopping, *self._keeping}, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            finally:
                start.cancel()
                stopping.cancel()
                await asyncio.gather(start, stopping, return_exceptions=True)
                await self._stop()

    async def _start(self, held: contextlib.ExitStack) -> None:
        data = open_folder(self._settings.data)
        claim = held.enter_context(FolderClaim(data))
        await claim.take()
        listening = held.enter_context(listen(self._settings.host, self._settings.port))
        await self._start_servers()
        self._settings = with_keys(self._settings, make=True)
        for name in await migrate(self._settings.owner_dsn()):
            self._say(f"migrated {name}")
        self._settings = await with_application_login(self._settings)
        for line in await self._plan.bootstrap(self._settings):
            self._say(line)  # at once: it is printed only at this start, and the rest of the start may fail
        if self._settings.outbox is not None:
            self._settings.outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._start_parts(held, listening, claim.parts)
        await self._announce(listening)

    async def _start_servers(self) -> None:
        data, addresses = self._settings.data, dict[str, Callable[[], str]]()
        if self._settings.database_url is None:
            postgres = EmbeddedPostgres(home_of(data, "postgres"), connections=_connections(self._settings))
            self._servers.append(postgres)
            addresses["database_url"] = postgres.dsn
        if self._settings.redis_url is None:
            valkey = EmbeddedValkey(home_of(data, "valkey"))
            self._servers.append(valkey)
            addresses["redis_url"] = lambda: valkey.url
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in self._servers))
        self._keeping += [asyncio.create_task(self._keep_serving(server)) for server in self._servers]
        # after the start, which creates the passwords in these addresses
        started = {name: SecretStr(address()) for name, address in addresses.items()}
        self._settings = self._settings.model_copy(update=started)

    async def _keep_serving(self, server: EmbeddedServer) -> None:
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            if await asyncio.to_thread(server.running):
                continue
            self._say(f"{server.name} has ended; starting it again")
            try:
                await asyncio.to_thread(server.start)
            except ServerFailedError as error:
                self._say(str(error))
                await asyncio.sleep(2)

    def _start_parts(self, held: contextlib.ExitStack, listening: socket.socket, claim: int) -> None:
        reading, writing = os.pipe()
        held.callback(os.close, writing)  # only the supervisor has it: when it ends, the parts read the end of the pipe
        held.callback(os.close, reading)
        shared = {**_metrics_variables(self._settings), LIFELINE: str(reading)}
        for part in self._plan.parts:
            variables = {**shared, LISTENING: str(listening.fileno())} if part.listens else shared
            descriptors = [reading, claim, *([listening.fileno()] if part.listens else [])]
            own_environment = environment(self._settings, part.secrets) | variables
            self._parts.append(Part(part, own_environment, descriptors, self._say))
        self._keeping += [asyncio.create_task(part.keep_running()) for part in self._parts]

    async def _announce(self, listening: socket.socket) -> None:
        host, port = listening.getsockname()[:2]
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        url = f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
        lines = [f"API      {url}"]
        lines += [f"Docs     {url}/docs"] if self._settings.docs else []
        lines += [f"Outbox   {self._settings.outbox}"] if self._settings.outbox is not None else []
        lines += [f"Data     {self._settings.data}"]
        outside = [server for server in self._servers if self._settings.data.resolve() not in server.home.parents]
        lines += [
            f"{server.name.title():8} {server.home} (its user cannot reach the data folder)" for server in outside
        ]
        if not await becomes_ready(reachable, port, READY_PATIENCE):
            self._say(f"Not ready after {READY_PATIENCE:.0f} s; {url}/readyz shows what is missing. Still trying.")
        self._say("\n".join(["Rollbook is running.", *lines, "Ctrl-C stops everything."]))

    async def _stop(self) -> None:
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await asyncio.gather(*(part.stop() for part in self._parts))
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in self._servers))


def _connections(settings: Settings) -> int:
    """Return the number of connections that the embedded Postgres accepts: enough for all parts."""
    return max(CONNECTIONS, settings.api_processes * (2 * settings.pool_size + DIRECT_CONNECTIONS) + OTHER_CONNECTIONS)


def _metrics_variables(settings: Settings) -> dict[str, str]:
    """Return the variable for a folder, emptied at each start, in which all API processes share their metrics."""
    if not settings.metrics:
        return {}
    folder = settings.data / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    return {SHARED_FOLDER: str(open_folder(folder))}
