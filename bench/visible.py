"""4. How soon after a command does a list show its result?"""

import asyncio
import time
from uuid import uuid4

from bench import limits
from bench.bench import Bench, Serving
from bench.figures import Figure, Limit, milliseconds
from bench.http import Answer, connect, request

P50_AIM = 10.0  # milliseconds
CLIENTS = (1, 8)
LIST = "/v2/individual-groups/?page%5Blimit%5D=1"


async def measure(bench: Bench) -> list[Figure]:
    figures = []
    async with bench.serving() as serving:
        for clients in CLIENTS:
            median = limits.median_of(await limits.bare_requests(bench, clients), clients)
            figures += await _written_and_read(serving, clients, median)
    return figures


async def _written_and_read(serving: Serving, clients: int, median: Limit) -> list[Figure]:
    """Measure the time from the command's answer, and from its request, until a list shows the result."""
    since_answer: list[float] = []
    since_request: list[float] = []
    end = time.perf_counter() + serving.bench.seconds
    token, owner = await serving.bench.token(), str(serving.bench.world.large.id)

    async def write_and_read() -> None:
        connection = await connect(serving.server.port)
        while (requested := time.perf_counter()) < end:
            attributes = {"individual-id": str(uuid4()), "owner-id": owner}
            body = {"data": {"type": "individuals", "attributes": attributes}}
            written = _checked(await connection.ask(request("POST", "/v1/individuals/", token, body)), 201)
            answered = time.perf_counter()
            at_least = {"X-At-Least-Position": str(written.position)}
            read = _checked(await connection.ask(request("GET", LIST, token, headers=at_least)), 200)
            assert read.position >= written.position
            since_answer.append(time.perf_counter() - answered)
            since_request.append(time.perf_counter() - requested)
        connection.close()

    await asyncio.gather(*(write_and_read() for _ in range(clients)))
    until = f"to the answer of a list that shows it, {clients} at a time"
    return [
        _figure(f"from a command's answer {until}", since_answer, median),
        _figure(f"from a command's request {until}", since_request, median),
    ]


def _figure(name: str, latencies: list[float], median: Limit) -> Figure:
    times = milliseconds(latencies)
    return Figure(f"{name}, p50", times["p50 ms"], "ms", [median], P50_AIM, {"p99 ms": times["p99 ms"]})


def _checked(answer: Answer, status: int) -> Answer:
    assert answer.status == status, answer.body
    return answer
