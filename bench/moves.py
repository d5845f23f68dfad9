"""6. How long does the move of a large subtree take, and is any check wrong meanwhile?

The subtree moves back and forth between two wings, whose leaders lead no other group. So at any moment exactly one of
the two may read its individuals. The leader of the subtree may always read them.
"""

import asyncio
import time
from typing import NamedTuple
from uuid import UUID, uuid4

import orjson
from psycopg import AsyncConnection

from adapters.log.event_store import EventStore
from bench.bench import Bench, Serving
from bench.figures import Figure, Limit, milliseconds, quantile
from bench.http import connect, request
from bench.load import Kept, load
from bench.stores import a_pool, a_store
from bench.world import ADMIN, DIVISION_LEADER, FIRST_WING_LEADER, SECOND_WING_LEADER
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry
from domain.groups.trees import GroupTree, tree_id

AIM = 2_000.0  # milliseconds
MOVES = 4  # at the store, and as many over HTTP
CLIENTS = 2
ROOT_OF_SUBTREE = 1
INDIVIDUALS = 200  # that are checked
PATIENCE = 30.0  # seconds


class Move(NamedTuple):
    """A move to wing `to`, 0 or 1. It takes effect after `begun` and before `ended`."""

    to: int
    begun: float
    ended: float


class Wings(NamedTuple):
    """The ids of the two wings and of their leaders."""

    groups: list[UUID]
    leaders: list[UUID]


async def measure(bench: Bench) -> list[Figure]:
    async with a_pool(bench.settings) as pool, a_store(bench.settings, pool) as store:
        wings = await _make_wings(bench, store)
        below, rows = await _below(bench)
        bare = await _bare_rewrite(bench)
        async with bench.serving() as serving:
            checks = asyncio.create_task(_checks(serving, wings))
            await asyncio.sleep(min(1.0, bench.seconds))
            at_store = [await _move_at_the_store(bench, store, wings, number % 2) for number in range(1, MOVES + 1)]
            over_http = [await _move_over_http(serving, wings, number % 2) for number in range(1, MOVES + 1)]
            kept = await checks
    assert kept[-1].received > over_http[-1].ended, "the checks ended before the moves"
    return _figures(at_store, over_http, kept, bare, {"individuals below": below, "rows of the closure": rows})


def _figures(
    at_store: list[Move], over_http: list[Move], kept: list[Kept], bare: Limit, more: dict[str, float]
) -> list[Figure]:
    moves = [*at_store, *over_http]
    during = [check for check in kept if any(check.sent < move.ended and check.received > move.begun for move in moves)]
    wrong = _count_wrong(moves, kept)
    appends = [(move.ended - move.begun) * 1000 for move in at_store]
    ends = [(move.ended - move.begun) * 1000 for move in over_http]
    check_times = milliseconds([check.received - check.sent for check in during])
    rewrite = Limit("bare rewrite of the same rows, ms", bare.value)
    checks = {"checks": float(len(kept)), "checks during moves": float(len(during))} | check_times
    return [
        Figure("append of a move, the slowest of several", max(appends), "ms", [bare], AIM, more),
        Figure("a move from its request to its task's end, p50", quantile(ends, 0.5), "ms", [rewrite], AIM, more),
        Figure("wrong answers to checks before, during and after moves", float(wrong), "answers", [], 0.0, checks),
    ]


def _count_wrong(moves: list[Move], kept: list[Kept]) -> int:
    """Return the number of answers that allow both leaders or neither, or the one of the wing without the subtree."""
    wrong = 0
    for check in kept:
        rows = orjson.loads(check.body)["access-queries"]
        first, second, own = (row["allow"] for row in rows)
        before = next((move for move in reversed(moves) if move.ended < check.sent), None)
        expected = 0 if before is None else before.to
        settled = not any(check.sent <= move.ended and check.received >= move.begun for move in moves)
        wrong += first == second or not own or (settled and (first, second)[expected] is not True)
    return wrong


async def _checks(serving: Serving, wings: Wings) -> list[Kept]:
    """Check the three leaders for individuals of the subtree until the moves have ended; return the answers."""
    bench, large = serving.bench, serving.bench.world.large
    token = await bench.token()
    users = [str(user) for user in (*wings.leaders, large.provider(DIVISION_LEADER))]
    group = large.branching * ROOT_OF_SUBTREE + 1
    requests = []
    for number in range(min(INDIVIDUALS, large.individuals // large.groups)):
        query = f"individual:{large.individual(group + number * large.groups)}:read"
        body = {"multi-user-ids": {"access-query": [query], "user-ids": users, "individually": True}}
        requests.append(request("POST", "/v1/bulk-authz-resource-access/", token, body))
    seconds = 2 + bench.seconds * MOVES
    run = await load(serving.server.port, requests, clients=CLIENTS, seconds=seconds, status=201, keep=True)
    return run.kept


async def _move_at_the_store(bench: Bench, store: EventStore, wings: Wings, to: int) -> Move:
    large = bench.world.large
    tree = await store.get(GroupTree, tree_id(large.id))
    group_id = large.group(ROOT_OF_SUBTREE)
    tree.request_move(uuid4(), group_id, wings.groups[to], 0)
    tree.finish_move(group_id)
    begun = time.perf_counter()
    await store.save(tree)
    return Move(to, begun, time.perf_counter())


async def _move_over_http(serving: Serving, wings: Wings, to: int) -> Move:
    large = serving.bench.world.large
    token = await serving.bench.token(large.provider(ADMIN))
    connection = await connect(serving.server.port)
    path = f"/v1/individual-groups/{large.group(ROOT_OF_SUBTREE)}/move-group/"
    begun = time.perf_counter()
    answer = await connection.ask(request("POST", path, token, {"to-parent-group-id": str(wings.groups[to])}))
    assert answer.status == 201, answer.body
    poll = request("GET", f"/v1/tasks/{answer.json()['data']['task-id']}/", token)
    while (task := (await connection.ask(poll)).json()["data"]["attributes"])["state"] != "done":
        assert time.perf_counter() < begun + PATIENCE, task
        await asyncio.sleep(0.005)
    ended = time.perf_counter()
    connection.close()
    return Move(to, begun, ended)


async def _make_wings(bench: Bench, store: EventStore) -> Wings:
    """Create two wings with a leader each, and move the subtree into the first one."""
    large = bench.world.large
    wings = [Group.create(uuid4(), large.id, name, node_type="division") for name in ("First wing", "Second wing")]
    leaders = [large.provider(place) for place in (FIRST_WING_LEADER, SECOND_WING_LEADER)]
    entries = [RosterEntry.add(wing.id, large.id, "leader", user) for wing, user in zip(wings, leaders, strict=True)]
    tree = await store.get(GroupTree, tree_id(large.id))
    tree.request_move(uuid4(), large.group(ROOT_OF_SUBTREE), wings[0].id, 0)
    tree.finish_move(large.group(ROOT_OF_SUBTREE))
    await store.save(*wings, *entries, tree)
    return Wings([wing.id for wing in wings], leaders)


async def _below(bench: Bench) -> tuple[float, float]:
    """Return the number of individuals in the subtree, and of its rows in the closure table."""
    async with await AsyncConnection.connect(bench.settings.owner_dsn()) as connection:
        cursor = await connection.execute(_BELOW, {"group": bench.world.large.group(ROOT_OF_SUBTREE)})
        row = await cursor.fetchone()
    assert row is not None
    return float(row[0]), float(row[1])


async def _bare_rewrite(bench: Bench) -> Limit:
    """Measure one durable transaction that deletes and inserts as many rows in a copy of the closure table."""
    async with await AsyncConnection.connect(bench.settings.owner_dsn(), autocommit=True) as connection:
        await connection.execute("CREATE TABLE bench_closure (LIKE group_closure INCLUDING ALL)")
        await connection.execute("INSERT INTO bench_closure SELECT * FROM group_closure")
        await connection.execute("ANALYZE bench_closure")
        parameters = {"group": bench.world.large.group(ROOT_OF_SUBTREE)}
        began = time.perf_counter()
        async with connection.transaction():
            await connection.execute(_DELETE, parameters)
            await connection.execute(_INSERT, parameters)
        took = time.perf_counter() - began
    return Limit("bare rewrite of as many rows, ms", took * 1000)


_BELOW = """
SELECT count(DISTINCT p.individual_id), count(DISTINCT c.descendant_id)
FROM group_closure c LEFT JOIN group_individuals p ON p.group_id = c.descendant_id WHERE c.ancestor_id = %(group)s
"""
_DELETE = "DELETE FROM bench_closure WHERE ancestor_id = %(group)s"
_INSERT = """
INSERT INTO bench_closure SELECT descendant_id, ancestor_id FROM group_closure WHERE ancestor_id = %(group)s
"""
