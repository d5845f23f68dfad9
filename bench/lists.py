"""3. How long a page of 100 takes: what a user may read, and who may read something."""

from urllib.parse import urlencode
from uuid import UUID

from bench import limits
from bench.bench import Bench, Serving
from bench.figures import Figure, Limit, milliseconds
from bench.http import Answer, connect, request
from bench.world import ADMIN, DIVISION_LEADER, LEAF_LEADER

PAGE = 100
P99_AIM = 50.0  # milliseconds
CLIENTS = 1
VARIETY = 200
"""So many individuals are asked about in turn."""


async def measure(bench: Bench) -> list[Figure]:
    large = bench.world.large
    users = {
        "an administrator": large.provider(ADMIN),
        "the leader of a division": large.provider(DIVISION_LEADER),
        "the leader of a leaf": large.provider(LEAF_LEADER),
    }
    beside = [limits.median_of(await limits.bare_requests(bench, CLIENTS), CLIENTS)]
    figures = []
    async with bench.serving() as serving:
        for who, user_id in users.items():
            for kind in ("individual", "group"):
                figures += await _accessible(serving, f"{kind}s that {who} may read", kind, user_id, beside)
        individuals = [large.individual(place * 7919 % large.individuals) for place in range(VARIETY)]
        figures.append(await _accessors(serving, "individual", individuals, beside))
        figures.append(await _accessors(serving, "organization", [large.id], beside))
    return figures


async def _accessible(serving: Serving, name: str, kind: str, user_id: UUID, beside: list[Limit]) -> list[Figure]:
    """The first page, and the one in the middle."""
    token = await serving.bench.token()

    def asking(offset: int) -> bytes:
        body = {"access-query": [f"{kind}::read"], "user-id": str(user_id), "page[limit]": PAGE, "page[offset]": offset}
        return request("POST", "/v1/authz-get-accessible-resources/", token, body)

    total = (await _answer(serving, asking(0))).json()["meta"]["page[total]"]
    first = await _timed(serving, f"{name}, first page", [asking(0)], 201, beside, total)
    if total < 3 * PAGE:
        return [first]
    return [first, await _timed(serving, f"{name}, middle page", [asking(total // 2)], 201, beside, total)]


async def _accessors(serving: Serving, kind: str, resources: list[UUID], beside: list[Limit]) -> Figure:
    token = await serving.bench.token()
    requests = []
    for each in resources:
        parameters = {"operation": "read", "resource-type": kind, "resource-id": str(each), "page[limit]": PAGE}
        requests.append(request("GET", f"/v1/authz-resource-accessors/?{urlencode(parameters)}", token))
    total = (await _answer(serving, requests[0])).json()["meta"]["page[total]"]
    return await _timed(serving, f"users who may read an {kind}", requests, 200, beside, total)


async def _timed(
    serving: Serving, name: str, requests: list[bytes], status: int, beside: list[Limit], total: int
) -> Figure:
    run, spent = await serving.load(requests, clients=CLIENTS, status=status)
    times = milliseconds(run.latencies)
    more = {"p50 ms": times["p50 ms"], "of": float(total)} | spent
    return Figure(f"{name}, p99", times["p99 ms"], "ms", beside, P99_AIM, more)


async def _answer(serving: Serving, sent: bytes) -> Answer:
    connection = await connect(serving.server.port)
    try:
        return await connection.ask(sent)
    finally:
        connection.close()
