"""7. How long does adding one individual take, and does that depend on the size of the roster?"""

import time
from collections.abc import Iterator, Mapping
from uuid import UUID, uuid4

from bench import limits
from bench.bench import Bench, Serving
from bench.figures import Figure, Limit, milliseconds, quantile
from bench.http import Connection, connect, request
from bench.stores import a_pool, a_store
from bench.world import ADMIN, Ward
from domain.groups.groups import Group

AIM = 2.0  # times as long as on an empty roster
TIMES = 200
MIN_TIMES = 10
CLIENTS = (1, 8)
PREPARED_PER_SECOND = 3_000
"""Requests that are prepared for each second of measuring; more than the product can answer."""
PREFERENCES = {
    "answered with the group": ({}, 6.0, 400.0),
    "answered with `return=minimal`": ({"Prefer": "return=minimal"}, 3.0, 1_400.0),
}
"""Headers, the aim for the median of one client in milliseconds, and the aim for the rate of the most clients."""


async def measure(bench: Bench) -> list[Figure]:
    """Add individuals alternately to a full and an empty roster, so that conditions are the same for both."""
    large = bench.world.large
    times = max(MIN_TIMES, round(min(TIMES, bench.seconds * TIMES / 5, (large.individuals - large.roster) / 2)))
    empty = await _empty_groups(bench, times)
    full_times: list[float] = []
    empty_times: list[float] = []
    token = await bench.token(large.provider(ADMIN))
    async with bench.serving() as serving:
        connection = await connect(serving.server.port)
        for number in range(times):
            first, second = (large.individual(large.roster + 2 * number + offset) for offset in range(2))
            full_times.append(await _measure_addition(connection, token, large.full_roster, first))
            empty_times.append(await _measure_addition(connection, token, empty[number], second))
        connection.close()
        places = large.free_places()
        additions = [
            figure for clients in CLIENTS for figure in await _measure_additions(serving, clients, token, places)
        ]
    bare = limits.median_of(await limits.bare_requests(bench, 1), 1)
    return [*_figures(large, full_times, empty_times, bare), *additions]


async def _measure_additions(
    serving: Serving, clients: int, token: str, places: Iterator[tuple[UUID, UUID]]
) -> list[Figure]:
    """Measure clients that add individuals to groups all over the tree."""
    bench, figures = serving.bench, list[Figure]()
    commits = await limits.insert_commits(bench, clients)
    bare = await limits.bare_requests(bench, clients)
    number = round(PREPARED_PER_SECOND * (bench.seconds * 1.2 + 0.1))
    for name, (headers, median_aim, rate_aim) in PREFERENCES.items():
        requests = [_addition(token, *next(places), headers) for _ in range(number)]
        run, processor = await serving.load(requests, clients=clients, status=201, once=True)
        rates = [commits, limits.rate_of(bare, clients)]
        times = milliseconds(run.latencies)
        figures += [
            Figure(
                f"adding an individual, {name}, {clients} at a time", run.rate, "commands/s", rates,
                rate_aim if clients == CLIENTS[-1] else None, times | processor,
            ),
            Figure(
                f"adding an individual, {name}, {clients} at a time, p50", times["p50 ms"], "ms",
                [limits.median_of(bare, clients)], median_aim if clients == CLIENTS[0] else None,
            ),
        ]  # fmt: skip
    return figures


def _figures(large: Ward, full: list[float], empty: list[float], bare: Limit) -> list[Figure]:
    on_full, on_empty = milliseconds(full), milliseconds(empty)
    empty_limit = Limit("on an empty roster, ms", on_empty["p50 ms"])
    name = f"adding one individual to a roster of {large.roster:,}"
    more = {"p99 ms": on_full["p99 ms"], "p99 ms on an empty one": on_empty["p99 ms"]}
    same = Limit("as long as on an empty roster", 1.0)
    return [
        Figure(f"{name}, p50", on_full["p50 ms"], "ms", [empty_limit, bare], None, more),
        Figure(f"{name}, compared with an empty one", quantile(full, 0.5) / quantile(empty, 0.5), "times", [same], AIM),
    ]


async def _measure_addition(connection: Connection, token: str, group_id: UUID, individual_id: UUID) -> float:
    addition = _addition(token, group_id, individual_id)
    began = time.perf_counter()
    answer = await connection.ask(addition)
    took = time.perf_counter() - began
    assert answer.status == 201, answer.body
    return took


def _addition(token: str, group_id: UUID, individual_id: UUID, headers: Mapping[str, str] | None = None) -> bytes:
    path = f"/v1/individual-groups/{group_id}/add-individuals/"
    return request("POST", path, token, {"individual-ids": [str(individual_id)]}, headers)


async def _empty_groups(bench: Bench, number: int) -> list[UUID]:
    groups = [Group.create(uuid4(), bench.world.large.id, f"Empty {place}") for place in range(number)]
    async with a_pool(bench.settings) as pool, a_store(bench.settings, pool) as store:
        await store.save(*groups)
    return [group.id for group in groups]
