"""The argument of each benchmark: a world in a database of its own, and the time to measure."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from adapters.settings import Settings
from bench.cluster import SERVICE, Cluster
from bench.load import Run, load
from bench.machine import cpu_seconds
from bench.servers import Server, product
from bench.stores import token_of
from bench.world import World


@dataclass
class Bench:
    """One benchmark's database and settings. `say` prints progress; `seconds` is the time to measure each rate."""

    cluster: Cluster
    world: World
    settings: Settings
    seconds: float
    say: Callable[[str], None]
    _tokens: dict[UUID, str] = field(default_factory=dict)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Serving"]:
        """Run the product on this database."""
        async with product(self.settings) as server:
            yield Serving(self, server)

    async def token(self, user_id: UUID = SERVICE.user_id) -> str:
        """Return an access token of the user; by default, of the service account."""
        if user_id not in self._tokens:
            self._tokens[user_id] = await token_of(self.settings, user_id)
        return self._tokens[user_id]


@dataclass
class Serving:
    """The running product under load."""

    bench: Bench
    server: Server

    async def load(
        self, requests: Sequence[bytes], *, clients: int, status: int, once: bool = False, pause: float = 0.0
    ) -> tuple[Run, dict[str, float]]:
        """Send the requests; return the run and the processor time per request of each process in microseconds."""
        parts = {"api": self.server.api, "worker": self.server.worker, "Postgres": self.bench.cluster.server_process}
        before = {name: cpu_seconds([process]) for name, process in parts.items()}
        run = await load(
            self.server.port,
            requests,
            clients=clients,
            seconds=self.bench.seconds,
            status=status,
            once=once,
            pause=pause,
        )
        answered = sum(run.statuses.values())
        processor = {
            f"{name} µs": (cpu_seconds([process]) - before[name]) / answered * 1e6 for name, process in parts.items()
        }
        return run, processor | {"generator busy": run.busy}
