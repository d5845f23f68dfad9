"""3. How long does a page of 100 take: of resources that a user may read, and of users who may read a resource?"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlencode
from uuid import UUID

from psycopg import AsyncConnection

from api.edge.indexing import MIN_INDIVIDUALS
from bench import limits
from bench.bench import Bench, Serving
from bench.figures import Figure, Limit, milliseconds
from bench.http import Answer, connect, request
from bench.stores import a_pool, a_store
from bench.world import ADMIN, DIVISION_LEADER, LEAF_LEADER
from domain.groups.groups import system_group_id
from domain.groups.rosters import RosterEntry
from projections.access import index as access_index

PAGE = 100
P99_AIM = 50.0  # milliseconds
ACCESSORS_P50_AIM = 2.5  # milliseconds
CLIENTS = 1
INDIVIDUALS = 200
"""The number of individuals whose accessors are requested in turn."""
ADDED_PER_SECOND = 20
"""Individuals that are added to rosters per second while lists are requested."""
PATIENCE = 60.0  # seconds
INDEXED = re.compile(rb"^rollbook_indexed_individuals (\S+)", re.MULTILINE)

RequestAt = Callable[[int], bytes]
"""A function that returns the request for the page at an offset."""


async def measure(bench: Bench) -> list[Figure]:
    large = bench.world.large
    users = {
        "an administrator": large.provider(ADMIN),
        "the leader of all groups": large.leader(0),
        "the leader of a division": large.provider(DIVISION_LEADER),
        "the leader of a leaf": large.provider(LEAF_LEADER),
    }
    beside = [limits.median_of(await limits.bare_requests(bench, CLIENTS), CLIENTS)]
    figures = [await _load_index(bench)]
    async with bench.serving() as serving:
        lists = Lists(serving, await bench.token(), beside)
        await lists.wait_for_index()
        for user, user_id in users.items():
            for kind in ("individual", "group"):
                figures += await lists.pages(f"{kind}s that {user} may read", lists.readable(kind, user_id))
        figures += await _filtered(lists, users)
        async with _adding(bench):
            leader = lists.readable("individual", users["the leader of a division"])
            name = f"the leader's, while {ADDED_PER_SECOND} individuals per second are added"
            figures.append(await lists.middle(name, leader))
        individuals = [large.individual(place * 7919 % large.individuals) for place in range(INDIVIDUALS)]
        figures += await lists.accessors("individual", individuals)
        figures += await lists.accessors("organization", [large.id])
    return figures


async def _load_index(bench: Bench) -> Figure:
    async with await AsyncConnection.connect(bench.settings.dsn(), autocommit=True) as connection:
        began = time.perf_counter()
        index = await access_index.load(connection)
        took = time.perf_counter() - began
    return Figure("making the index of individuals", took * 1000, "ms", [], None, {"individuals": float(len(index))})


async def _filtered(lists: "Lists", users: dict[str, UUID]) -> list[Figure]:
    """Measure filters that nearly all individuals pass, and one that nearly none passes."""
    bench = lists.serving.bench
    filters = {
        "not registered": {"filter[registered]": "false"},
        "not a certain person's": {"filter[exclude-owner-ids]": str(bench.world.large.patient(1))},
        "unassigned": {"filter[group-id]": str(system_group_id(bench.world.large.id, "unassigned"))},
    }
    return [
        await lists.middle(f"individuals that {user} may read, {name}", lists.filtered(users[user], parameters))
        for user in ("an administrator", "the leader of a division")
        for name, parameters in filters.items()
    ]


class Lists:
    """Requests pages of the running product and measures them."""

    def __init__(self, serving: Serving, token: str, beside: list[Limit]) -> None:
        self.serving = serving
        self._token = token
        self._beside = beside

    def readable(self, kind: str, user_id: UUID) -> RequestAt:
        body = {"access-query": [f"{kind}::read"], "user-id": str(user_id), "page[limit]": PAGE}
        path = "/v1/authz-get-accessible-resources/"
        return lambda offset: request("POST", path, self._token, body | {"page[offset]": offset})

    def filtered(self, user_id: UUID, filters: dict[str, str]) -> RequestAt:
        parameters = {"operation": "read", "user-id": str(user_id), "page[limit]": str(PAGE), **filters}
        path = "/v1/authz-individuals/"
        return lambda offset: request("GET", f"{path}?{urlencode(parameters | {'page[offset]': offset})}", self._token)

    async def wait_for_index(self) -> None:
        """Wait until lists come from the index and no longer from the tables."""
        end = time.monotonic() + PATIENCE
        while self.serving.bench.world.size.individuals >= MIN_INDIVIDUALS and not await self._indexed():
            assert time.monotonic() < end, "no index was loaded"
            await asyncio.sleep(0.1)

    async def _indexed(self) -> int:
        (count,) = INDEXED.findall((await self.ask(request("GET", "/metrics", self._token))).body)
        return int(float(count))

    async def pages(self, name: str, request_at: RequestAt) -> list[Figure]:
        """Measure the first page, the middle one and the last one."""
        total = await self._total(request_at)
        offsets = {"first": 0, "middle": total // 2, "last": total - PAGE} if total >= 3 * PAGE else {"first": 0}
        return [
            await self._measure(f"{name}, {page} page", [request_at(offset)], total) for page, offset in offsets.items()
        ]

    async def middle(self, name: str, request_at: RequestAt) -> Figure:
        total = await self._total(request_at)
        return await self._measure(f"{name}, middle page", [request_at(total // 2)], total)

    async def accessors(self, kind: str, resources: list[UUID]) -> list[Figure]:
        requests = []
        for resource_id in resources:
            parameters = {
                "operation": "read", "resource-type": kind, "resource-id": str(resource_id), "page[limit]": PAGE
            }  # fmt: skip
            requests.append(request("GET", f"/v1/authz-resource-accessors/?{urlencode(parameters)}", self._token))
        name = f"users who may read an {kind}"
        tail = await self._measure(name, requests, await self._total(lambda _: requests[0]))
        return [tail, Figure(f"{name}, p50", tail.more["p50 ms"], "ms", self._beside, ACCESSORS_P50_AIM)]

    async def _total(self, request_at: RequestAt) -> int:
        answer = await self.ask(request_at(0))
        return int(answer.json()["meta"]["page[total]"])

    async def _measure(self, name: str, requests: list[bytes], total: int) -> Figure:
        run, processor = await self.serving.load(requests, clients=CLIENTS, status=(await self.ask(requests[0])).status)
        times = milliseconds(run.latencies)
        more = {"p50 ms": times["p50 ms"], "of": float(total)} | processor
        return Figure(f"{name}, p99", times["p99 ms"], "ms", self._beside, P99_AIM, more)

    async def ask(self, encoded: bytes) -> Answer:
        connection = await connect(self.serving.server.port)
        try:
            return await connection.ask(encoded)
        finally:
            connection.close()


@asynccontextmanager
async def _adding(bench: Bench) -> AsyncIterator[None]:
    """Add individuals to rosters at an even pace until the block ends."""
    ward = bench.world.large

    async def add() -> None:
        async with a_pool(bench.settings) as pool, a_store(bench.settings, pool) as store:
            for group_id, individual_id in ward.free_places():
                await store.save(RosterEntry.add(group_id, ward.id, "individual", individual_id))
                await asyncio.sleep(1 / ADDED_PER_SECOND)

    adding = asyncio.create_task(add())
    try:
        yield
    finally:
        adding.cancel()
        await asyncio.wait([adding])
