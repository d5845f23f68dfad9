"""7. Whether adding one individual costs on a full roster what it costs on an empty one."""

import time
from uuid import UUID

from bench import limits
from bench.bench import Bench
from bench.figures import Figure, Limit, milliseconds, quantile
from bench.http import Connection, connect, request
from bench.stores import a_pool, a_store
from bench.world import ADMIN, Ward
from domain.core.ids import new_id
from domain.groups.groups import Group

AIM = 2.0  # times as long
TIMES = 200
LEAST = 10


async def measure(bench: Bench) -> list[Figure]:
    """Turn and turn about, so that both meet the same conditions."""
    large = bench.world.large
    times = max(LEAST, round(min(TIMES, bench.seconds * TIMES / 5, (large.individuals - large.roster) / 2)))
    empty = await _empty_groups(bench, times)
    full_times: list[float] = []
    empty_times: list[float] = []
    token = await bench.token(large.provider(ADMIN))
    async with bench.serving() as serving:
        connection = await connect(serving.server.port)
        for number in range(times):
            first, second = (large.individual(large.roster + 2 * number + each) for each in range(2))
            full_times.append(await _added(connection, token, large.full_roster, first))
            empty_times.append(await _added(connection, token, empty[number], second))
        connection.close()
    bare = limits.median_of(await limits.bare_requests(bench, 1), 1)
    return _figures(large, full_times, empty_times, bare)


def _figures(large: Ward, full: list[float], empty: list[float], bare: Limit) -> list[Figure]:
    on_full, on_empty = milliseconds(full), milliseconds(empty)
    empty_limit = Limit("on an empty roster, ms", on_empty["p50 ms"])
    name = f"adding one individual to a roster of {large.roster:,}"
    more = {"p99 ms": on_full["p99 ms"], "p99 ms on an empty one": on_empty["p99 ms"]}
    once = Limit("as long as on an empty roster", 1.0)
    return [
        Figure(f"{name}, p50", on_full["p50 ms"], "ms", [empty_limit, bare], None, more),
        Figure(f"{name}, compared with an empty one", quantile(full, 0.5) / quantile(empty, 0.5), "times", [once], AIM),
    ]


async def _added(connection: Connection, token: str, group_id: UUID, individual_id: UUID) -> float:
    path = f"/v1/individual-groups/{group_id}/add-individuals/"
    sent = request("POST", path, token, {"individual-ids": [str(individual_id)]})
    began = time.perf_counter()
    answer = await connection.ask(sent)
    took = time.perf_counter() - began
    assert answer.status == 201, answer.body
    return took


async def _empty_groups(bench: Bench, number: int) -> list[UUID]:
    groups = [Group.create(new_id(), bench.world.large.id, f"Empty {place}") for place in range(number)]
    async with a_pool(bench.settings) as pool, a_store(bench.settings, pool) as store:
        await store.save(*groups)
    return [group.id for group in groups]
