"""1. How many durable commands of one event per second, at the store and over HTTP?"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import count, islice
from typing import Any
from uuid import uuid4

from adapters.log.event_store import EventStore
from bench import limits
from bench.bench import Bench, Serving
from bench.figures import Figure, Limit, milliseconds
from bench.http import request
from bench.load import Run
from bench.stores import a_pool, a_store
from bench.world import ADMIN
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry

CLIENTS = (1, 8, 64)
STORE_AIM, HTTP_AIM = 20_000, 2_000
Command = Callable[[], Awaitable[None]]
ADD_INDIVIDUAL = "add an individual to a roster, inline projections included"
PREPARED_PER_SECOND = 4_000
"""Requests that are prepared for each second of measuring; more than the product can answer."""


async def measure(bench: Bench) -> list[Figure]:
    bare = {clients: await limits.insert_commits(bench, clients) for clients in CLIENTS}
    figures = [figure async for figure in _at_the_store(bench, bare)]
    async with bench.serving() as serving:
        for clients in CLIENTS:
            route = limits.rate_of(await limits.bare_requests(bench, clients), clients)
            figures.append(await _create(serving, clients, bare[clients], route))
            figures.append(await _rename(serving, clients, bare[clients], route))
    return figures


async def _at_the_store(bench: Bench, bare: dict[int, Limit]) -> AsyncIterator[Figure]:
    async with a_pool(bench.settings) as pool, a_store(bench.settings, pool) as store:
        commands = {
            ADD_INDIVIDUAL: _adding(bench, store),
            "get, rename and save a group": _renaming(bench, store),
        }
        for clients in CLIENTS:
            for name, command in commands.items():
                aim = STORE_AIM if clients == CLIENTS[-1] and command is commands[ADD_INDIVIDUAL] else None
                rate, more = await _measure_calls(command, clients, bench.seconds)
                yield Figure(f"store: {name}, {clients} at a time", rate, "commands/s", [bare[clients]], aim, more)


def _adding(bench: Bench, store: EventStore) -> Command:
    """Return a command that adds the next individual. Computing all ids beforehand saves a sixth of its time."""
    organization_id = bench.world.large.id
    number = round(STORE_AIM * len(CLIENTS) * bench.seconds)
    places = iter(list(islice(bench.world.large.free_places(), number)))

    async def add() -> None:
        group_id, individual_id = next(places)
        await store.save(RosterEntry.add(group_id, organization_id, "individual", individual_id))

    return add


def _renaming(bench: Bench, store: EventStore) -> Command:
    numbers, large = count(), bench.world.large
    groups = [large.group(place) for place in range(large.groups)]

    async def rename() -> None:
        number = next(numbers)
        group = await store.get(Group, groups[number % large.groups])
        group.rename(f"Renamed {number}")
        await store.save(group)

    return rename


async def _measure_calls(command: Command, callers: int, seconds: float) -> tuple[float, dict[str, float]]:
    """Return the rate, the latencies and the share of time for which this process was busy."""
    latencies: list[float] = []
    processor, began = time.process_time(), time.perf_counter()

    async def call() -> None:
        while (sent := time.perf_counter()) < began + seconds:
            await command()
            latencies.append(time.perf_counter() - sent)

    await asyncio.gather(*(call() for _ in range(callers)))
    took = time.perf_counter() - began
    busy = (time.process_time() - processor) / took
    return len(latencies) / took, milliseconds(latencies) | {"process busy": busy}


async def _create(serving: Serving, clients: int, *beside: Limit) -> Figure:
    """Measure creating an individual: one event, and an answer from inline projections."""
    bench = serving.bench
    token, owner = await bench.token(), str(bench.world.large.id)
    requests = []
    for _ in range(_prepared_requests(bench)):
        body = _document("individuals", {"individual-id": str(uuid4()), "owner-id": owner})
        requests.append(request("POST", "/v1/individuals/", token, body))
    run, processor = await serving.load(requests, clients=clients, status=201, once=True)
    aim = HTTP_AIM if clients == CLIENTS[-1] else None
    return _figure("create an individual", run, processor, clients, beside, aim)


async def _rename(serving: Serving, clients: int, *beside: Limit) -> Figure:
    """Measure renaming a group: one event, and an answer that waits for background projections."""
    bench = serving.bench
    token, large = await bench.token(bench.world.large.provider(ADMIN)), bench.world.large
    requests = []
    for number in range(_prepared_requests(bench)):
        group_id = str(large.group(number % large.groups))
        body = _document("individual-groups", {"name": f"Renamed by {clients}: {number}"}, group_id)
        requests.append(request("PATCH", f"/v1/individual-groups/{group_id}/", token, body))
    run, processor = await serving.load(requests, clients=clients, status=200, once=True)
    return _figure("rename a group and read it back", run, processor, clients, beside, None)


def _figure(
    name: str, run: Run, processor: dict[str, float], clients: int, beside: Sequence[Limit], aim: float | None
) -> Figure:
    more = milliseconds(run.latencies) | processor
    return Figure(f"HTTP: {name}, {clients} at a time", run.rate, "commands/s", beside, aim, more)


def _document(kind: str, attributes: dict[str, str], resource_id: str | None = None) -> dict[str, Any]:
    return {"data": {"type": kind, "attributes": attributes} | ({"id": resource_id} if resource_id else {})}


def _prepared_requests(bench: Bench) -> int:
    return round(PREPARED_PER_SECOND * (bench.seconds * 1.2 + 0.1))
