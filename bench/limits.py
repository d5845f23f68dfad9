"""The limits of this machine, measured in the same run as the figures that are compared with them."""

import asyncio
import re
import subprocess
import tempfile
import time
from pathlib import Path

from psycopg import AsyncConnection

from bench.bench import Bench
from bench.figures import Limit, quantile
from bench.http import request
from bench.load import Run, load
from bench.servers import bare_route

EVENT_SIZE = 300  # bytes, about the size of an event
TPS = re.compile(r"tps = ([0-9.]+)")


async def insert_commits(bench: Bench, clients: int) -> Limit:
    """Measure single-row INSERTs per second, each a durable transaction, by `clients` connections."""
    async with await AsyncConnection.connect(bench.settings.owner_dsn(), autocommit=True) as connection:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS bench_rows (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state bytea)"
        )
        statement = f"INSERT INTO bench_rows (state) VALUES (decode(repeat('7b', {EVENT_SIZE}), 'hex'));\n"
        rate = await _pgbench(bench, statement, clients)
        await connection.execute("TRUNCATE bench_rows")
    return Limit(f"bare INSERT commits/s, {_connections(clients)}", rate)


async def selects(bench: Bench, clients: int) -> Limit:
    """Measure SELECTs by primary key per second, by `clients` connections of one Python process like the API's."""
    keys = [bench.world.large.individual(place) for place in range(min(2000, bench.world.large.individuals))]
    end = time.perf_counter() + bench.seconds
    began = time.perf_counter()

    async def select(offset: int) -> int:
        done = offset
        async with await AsyncConnection.connect(bench.settings.dsn(), autocommit=True) as connection:
            while time.perf_counter() < end:
                key = keys[done * 7919 % len(keys)]
                cursor = await connection.execute(_SELECT, (key,), prepare=True, binary=True)
                await cursor.fetchone()
                done += 1
        return done - offset

    done = await asyncio.gather(*(select(offset * 31) for offset in range(clients)))
    return Limit(f"bare SELECTs by primary key/s, {_connections(clients)}", sum(done) / (time.perf_counter() - began))


async def bare_requests(bench: Bench, clients: int) -> Run:
    """Measure requests of the size of a check to a route that does nothing."""
    body = {
        "access-query": [f"individual:{bench.world.large.individual(1)}:read"],
        "user-id": str(bench.world.large.id),
    }
    async with bare_route() as server:
        bare = request("POST", "/", "x" * 300, body)
        return await load(server.port, [bare], clients=clients, seconds=bench.seconds, status=201)


def rate_of(run: Run, clients: int) -> Limit:
    """Return the rate of the run as a limit."""
    return Limit(f"bare ASGI requests/s, {_clients(clients)}", run.rate)


def median_of(run: Run, clients: int) -> Limit:
    """Return the median latency of the run as a limit."""
    return Limit(f"bare ASGI p50 ms, {_clients(clients)}", quantile(run.latencies, 0.5) * 1000)


async def _pgbench(bench: Bench, statement: str, clients: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.sql"
        await asyncio.to_thread(script.write_text, statement)
        options = ["-n", "-M", "prepared", "-f", str(script), "-c", str(clients), "-j", str(min(2, clients))]
        seconds = ["-T", str(max(1, round(bench.seconds)))]
        command = [str(bench.cluster.pgbench), *options, *seconds, bench.settings.owner_dsn()]
        done = await asyncio.to_thread(subprocess.run, command, check=True, text=True, stdout=subprocess.PIPE)
    rate = TPS.search(done.stdout)
    assert rate is not None, done.stdout
    return float(rate[1])


def _connections(number: int) -> str:
    return f"{number} connection{'s' if number > 1 else ''}"


def _clients(number: int) -> str:
    return f"{number} client{'s' if number > 1 else ''}"


_SELECT = "SELECT owner_id FROM access_individuals WHERE individual_id = %s"
