"""3. How long a page of 100 takes: what a user may read, and who may read something."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlencode
from uuid import UUID

from psycopg import AsyncConnection

from api.edge.indexing import LEAST
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
CLIENTS = 1
VARIETY = 200
"""So many individuals are asked about in turn."""
SEATS = 20
"""So many are taken in a second while lists are asked for."""
PATIENCE = 60.0
INDEXED = re.compile(rb"^rollbook_indexed_individuals (\S+)", re.MULTILINE)

Asking = Callable[[int], bytes]


async def measure(bench: Bench) -> list[Figure]:
    large = bench.world.large
    users = {
        "an administrator": large.provider(ADMIN),
        "the leader of all groups": large.leader(0),
        "the leader of a division": large.provider(DIVISION_LEADER),
        "the leader of a leaf": large.provider(LEAF_LEADER),
    }
    beside = [limits.median_of(await limits.bare_requests(bench, CLIENTS), CLIENTS)]
    figures = [await _making_the_index(bench)]
    async with bench.serving() as serving:
        lists = Lists(serving, await bench.token(), beside)
        await lists.until_indexed()
        for who, user_id in users.items():
            for kind in ("individual", "group"):
                figures += await lists.pages(f"{kind}s that {who} may read", lists.readable(kind, user_id))
        figures += await _filtered(lists, users)
        async with _editor(bench):
            leader = lists.readable("individual", users["the leader of a division"])
            figures.append(await lists.middle(f"the leader's, while {SEATS} individuals a second are seated", leader))
        individuals = [large.individual(place * 7919 % large.individuals) for place in range(VARIETY)]
        figures.append(await lists.accessors("individual", individuals))
        figures.append(await lists.accessors("organization", [large.id]))
    return figures


async def _making_the_index(bench: Bench) -> Figure:
    async with await AsyncConnection.connect(bench.settings.dsn(), autocommit=True) as connection:
        began = time.perf_counter()
        index = await access_index.load(connection)
        took = time.perf_counter() - began
    return Figure("making the index of individuals", took * 1000, "ms", [], None, {"individuals": float(len(index))})


async def _filtered(lists: "Lists", users: dict[str, UUID]) -> list[Figure]:
    """What nearly everybody passes, and what nearly nobody does but everybody is looked at for."""
    bench = lists.serving.bench
    filters = {
        "not registered": {"filter[registered]": "false"},
        "not a certain person's": {"filter[exclude-owner-ids]": str(bench.world.large.patient(1))},
        "unassigned": {"filter[group-id]": str(system_group_id(bench.world.large.id, "unassigned"))},
    }
    return [
        await lists.middle(f"individuals that {who} may read, {name}", lists.filtered(users[who], chosen))
        for who in ("an administrator", "the leader of a division")
        for name, chosen in filters.items()
    ]


class Lists:
    """Asks the running product for pages."""

    def __init__(self, serving: Serving, token: str, beside: list[Limit]) -> None:
        self.serving = serving
        self._token = token
        self._beside = beside

    def readable(self, kind: str, user_id: UUID) -> Asking:
        asked = {"access-query": [f"{kind}::read"], "user-id": str(user_id), "page[limit]": PAGE}
        path = "/v1/authz-get-accessible-resources/"
        return lambda offset: request("POST", path, self._token, asked | {"page[offset]": offset})

    def filtered(self, user_id: UUID, filters: dict[str, str]) -> Asking:
        asked = {"operation": "read", "user-id": str(user_id), "page[limit]": str(PAGE), **filters}
        path = "/v1/authz-individuals/"
        return lambda offset: request("GET", f"{path}?{urlencode(asked | {'page[offset]': offset})}", self._token)

    async def until_indexed(self) -> None:
        """What the tables answer meanwhile is not what is measured here."""
        end = time.monotonic() + PATIENCE
        while self.serving.bench.world.size.individuals >= LEAST and not await self._indexed():
            assert time.monotonic() < end, "no index was made"
            await asyncio.sleep(0.1)

    async def _indexed(self) -> int:
        (found,) = INDEXED.findall((await self.ask(request("GET", "/metrics", self._token))).body)
        return int(float(found))

    async def pages(self, name: str, asking: Asking) -> list[Figure]:
        """The first page, the one in the middle and the last one."""
        total = await self._total(asking)
        offsets = {"first": 0, "middle": total // 2, "last": total - PAGE} if total >= 3 * PAGE else {"first": 0}
        return [await self._timed(f"{name}, {which} page", [asking(at)], total) for which, at in offsets.items()]

    async def middle(self, name: str, asking: Asking) -> Figure:
        total = await self._total(asking)
        return await self._timed(f"{name}, middle page", [asking(total // 2)], total)

    async def accessors(self, kind: str, resources: list[UUID]) -> Figure:
        requests = []
        for each in resources:
            asked = {"operation": "read", "resource-type": kind, "resource-id": str(each), "page[limit]": PAGE}
            requests.append(request("GET", f"/v1/authz-resource-accessors/?{urlencode(asked)}", self._token))
        return await self._timed(f"users who may read an {kind}", requests, await self._total(lambda _: requests[0]))

    async def _total(self, asking: Asking) -> int:
        answer = await self.ask(asking(0))
        return int(answer.json()["meta"]["page[total]"])

    async def _timed(self, name: str, requests: list[bytes], total: int) -> Figure:
        run, spent = await self.serving.load(requests, clients=CLIENTS, status=(await self.ask(requests[0])).status)
        times = milliseconds(run.latencies)
        more = {"p50 ms": times["p50 ms"], "of": float(total)} | spent
        return Figure(f"{name}, p99", times["p99 ms"], "ms", self._beside, P99_AIM, more)

    async def ask(self, sent: bytes) -> Answer:
        connection = await connect(self.serving.server.port)
        try:
            return await connection.ask(sent)
        finally:
            connection.close()


@asynccontextmanager
async def _editor(bench: Bench) -> AsyncIterator[None]:
    """Inside, individuals take entries at an even pace."""
    ward = bench.world.large

    async def entry() -> None:
        async with a_pool(bench.settings) as pool, a_store(bench.settings, pool) as store:
            for group_id, individual_id in ward.free_places():
                await store.save(RosterEntry.add(group_id, ward.id, "individual", individual_id))
                await asyncio.sleep(1 / SEATS)

    seating = asyncio.create_task(entry())
    try:
        yield
    finally:
        seating.cancel()
        await asyncio.wait([seating])
