"""2. How many access checks per second, single and in bulk, and how long does each take?"""

from random import Random
from typing import Any

from bench import limits
from bench.bench import Bench, Serving
from bench.figures import Figure, Limit, milliseconds
from bench.http import request
from bench.world import OTHERS

CLIENTS = (1, 8)
P50_AIM, P99_AIM = 1.0, 5.0  # milliseconds of a check, with the fewest and with the most clients
RATE_AIM = 4_000  # checks per second, with the most clients
REQUESTS = 2000
BULK_USERS, BULK_QUERIES = 5, 20


async def measure(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    singles, bulks = await _singles(bench), await _bulks(bench)
    async with bench.serving() as serving:
        for clients in CLIENTS:
            bare = await limits.bare_requests(bench, clients)
            rates = [await limits.selects(bench, clients), limits.rate_of(bare, clients)]
            median = limits.median_of(bare, clients)
            figures += await _measure_checks(serving, "check", singles, clients, rates, median)
            name = f"bulk check of {BULK_USERS} users by {BULK_QUERIES} queries"
            figures += await _measure_checks(serving, name, bulks, clients, rates, median)
    return figures


async def _measure_checks(
    serving: Serving, name: str, requests: list[bytes], clients: int, rates: list[Limit], median: Limit
) -> list[Figure]:
    run, processor = await serving.load(requests, clients=clients, status=201)
    times = milliseconds(run.latencies)
    fewest, most = (name == "check" and clients == number for number in (CLIENTS[0], CLIENTS[-1]))
    rate_aim, more = RATE_AIM if most else None, times | processor
    return [
        Figure(f"{name}, {clients} at a time", run.rate, "requests/s", rates, rate_aim, more),
        Figure(f"{name}, {clients} at a time, p50", times["p50 ms"], "ms", [median], P50_AIM if fewest else None),
        Figure(f"{name}, {clients} at a time, p99", times["p99 ms"], "ms", [median], P99_AIM if most else None),
    ]


async def _singles(bench: Bench) -> list[bytes]:
    """Return checks of leaders, half for individuals of a group that they lead, half for any individual."""
    token, random, large = await bench.token(), Random(1), bench.world.large
    requests = []
    for number in range(REQUESTS):
        group = random.randrange(OTHERS, large.groups)
        individual = group if number % 2 and group < large.individuals else random.randrange(large.individuals)
        operation = "write" if number % 4 < 2 else "read"
        query = f"individual:{large.individual(individual)}:{operation}"
        body = {"access-query": [query], "user-id": str(large.leader(group))}
        requests.append(request("POST", "/v1/authz-resource-access/", token, body))
    return requests


async def _bulks(bench: Bench) -> list[bytes]:
    token, random, large = await bench.token(), Random(2), bench.world.large

    def body() -> dict[str, Any]:
        individuals = (large.individual(random.randrange(large.individuals)) for _ in range(BULK_QUERIES))
        users = (large.leader(random.randrange(large.groups)) for _ in range(BULK_USERS))
        return {
            "multi-user-ids": {
                "access-query": [f"individual:{individual}:read" for individual in individuals],
                "user-ids": list(dict.fromkeys(map(str, users))),
                "individually": True,
            }
        }

    return [request("POST", "/v1/bulk-authz-resource-access/", token, body()) for _ in range(REQUESTS // 4)]
