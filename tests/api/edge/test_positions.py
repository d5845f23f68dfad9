"""Positions on answers, waiting for them, and giving up (semantics 0.2, rulings A5, B1 to B6, G16)."""

import asyncio
import time
from typing import Any

import psycopg
from starlette.responses import Response

from api.documents.common import Attributes, Listing, Single
from api.edge.caller import Authenticated
from api.edge.deps import PathId, ReadingDep
from api.edge.envelope import answer
from api.edge.execution import Outcome
from api.edge.positions import HEAD, POLL
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from domain.core.errors import NotFound
from projections.access.checks import Decided
from tests.support.edge import Edge, an_edge, eventually


class ThingNotFound(NotFound):
    """There is no such thing."""


OWNER: list[str] = []


READ: list[int] = []


router = contract_router("things")
COMMAND = 5
MADE_AT = 4


class Thing(Attributes):
    rows: int


class ThingDocument(Single[Thing]):
    pass


class ThingList(Listing[Thing]):
    pass


@router.get("/v1/things/", **answers(ThingList))
async def things(caller: Authenticated, reading: ReadingDep) -> Response:

    async def respond(read: Read) -> Response:
        return read.listing(ThingList, [Thing(rows=1)])

    return await reading.read(("things", "others"), respond)


@router.get("/v1/heads/", **answers(ThingDocument))
async def heads(caller: Authenticated, reading: ReadingDep) -> Response:

    async def respond(read: Read) -> Response:
        return read.single(ThingDocument, Thing(rows=1))

    return await reading.read((), respond)


@router.post("/v1/questions/", **answers(ThingDocument, 201, reads=True))
async def question(caller: Authenticated, reading: ReadingDep) -> Response:

    async def respond(read: Read) -> Response:
        return read.single(ThingDocument, Thing(rows=1), 201)

    return await reading.read(("things",), respond)


@router.post("/v1/things/", **answers(ThingDocument, 201))
async def command(caller: Authenticated, reading: ReadingDep) -> Response:
    recorded = Outcome(COMMAND, 201, None, repeated=False, models=frozenset({"things"}), visible=True)

    async def respond(read: Read) -> Response:
        return read.single(ThingDocument, Thing(rows=int(read.current)), 201)

    return await reading.read_after(recorded, ("things", "others"), respond)


@router.get("/v1/checks/", **answers(None))
async def check(caller: Authenticated, reading: ReadingDep) -> Response:
    async def ask() -> Decided:
        ASKED.append(COMMAND)
        return Decided(COMMAND, [True])

    decided = await reading.at_once(ask)
    return answer(None, position=decided.position)


@router.get("/v1/snapshots/", **answers(ThingDocument))
async def snapshot(caller: Authenticated, reading: ReadingDep) -> Response:

    async def respond(read: Read) -> Response:
        await read.cursor.execute("SELECT count(*) FROM projections")
        async with await psycopg.AsyncConnection.connect(OWNER[0], autocommit=True) as other:
            await stand(other, more=1)
        await read.cursor.execute("SELECT count(*) FROM projections")
        return read.single(ThingDocument, Thing(rows=(await read.cursor.fetchone() or (0,))[0]))

    return await reading.read(("things",), respond)


@router.get("/v1/things/{id}/", **answers(ThingDocument))
async def thing(thing_id: PathId, caller: Authenticated, reading: ReadingDep) -> Response:

    async def respond(read: Read) -> Response:
        READ.append(read.position)
        if read.position < MADE_AT:
            raise ThingNotFound(parameter="id")
        return read.single(ThingDocument, Thing(rows=1))

    return await reading.read(("things",), respond)


@router.post("/v1/things/{id}/look/", **answers(ThingDocument, 201))
async def look(thing_id: PathId, caller: Authenticated, reading: ReadingDep) -> Response:
    return await thing(thing_id, caller, reading)


ASKED: list[int] = []


async def stand(connection: psycopg.AsyncConnection, **positions: int) -> None:
    for name, position in positions.items():
        await connection.execute(
            "INSERT INTO projections (name, id, classpath, mode, log, version, position, last_poll_at)"
            " VALUES (%s, gen_random_uuid(), %s, 'background', 'identity', 1, %s, now())"
            " ON CONFLICT (name) DO UPDATE SET position = EXCLUDED.position",
            [name, name, position],
        )


async def project(owner: str, *, notify: bool = True, **positions: int) -> None:
    async with await psycopg.AsyncConnection.connect(owner, autocommit=True) as connection:
        await stand(connection, **positions)
        for name, position in positions.items():
            if notify:
                await connection.execute("SELECT pg_notify('rollbook_projected', %s)", [f"{name}:{position}"])


async def get(edge: Edge, path: str, at_least: object = None, method: str = "GET") -> Any:
    headers = edge.person().bearer | ({} if at_least is None else {"X-At-Least-Position": str(at_least)})
    return await edge.client.request(method, path, headers=headers)


async def test_a_read_answers_the_lowest_position_of_its_read_models(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        await project(database_url, things=7, others=6)
        response = await get(edge, "/v1/things/")
        assert response.headers["X-Position"] == "6"
        assert response.json()["meta"] == {"page[limit]": 1, "page[offset]": 0, "page[total]": 1, "position": 6}
        assert (await get(edge, "/v1/heads/")).json()["meta"] == {"position": 0}


async def test_a_read_model_that_never_ran_is_at_the_start(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        await project(database_url, things=7)
        assert (await get(edge, "/v1/things/")).headers["X-Position"] == "0"


async def test_a_read_waits_and_is_woken(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        await project(database_url, things=1, others=9)
        await heard(edge)
        reading = asyncio.create_task(get(edge, "/v1/things/", 4))
        await waited_for(edge)
        started = time.monotonic()
        await project(database_url, things=3)
        await project(database_url, things=4)
        response = await reading
        assert (response.status_code, response.headers["X-Position"]) == (200, "4")
        assert time.monotonic() - started < POLL / 2


async def test_a_question_by_post_waits_too(database_url: str) -> None:
    async with an_edge(database_url, router, position_wait=0.05) as edge:
        await project(database_url, things=1)
        assert (await get(edge, "/v1/questions/", 2, "POST")).status_code == 503
        await project(database_url, things=2)
        assert (await get(edge, "/v1/questions/", 2, "POST")).status_code == 201


async def test_a_read_gives_up(database_url: str) -> None:
    async with an_edge(database_url, router, position_wait=0.05) as edge:
        await project(database_url, things=1, others=9)
        for path, position in [("/v1/things/", 2), ("/v1/heads/", 1), ("/v1/heads/", 2**63 - 1)]:
            response = await get(edge, path, position)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
            assert "X-Position" not in response.headers
            (error,) = response.json()["errors"]
            assert (error["code"], error["status"], error["meta"]) == ("read-model-behind", 503, {})


async def test_a_known_position_may_turn_out_wrong(database_url: str) -> None:
    async with an_edge(database_url, router, position_wait=0.3) as edge:
        edge.services.positions.learn("things", 100)
        edge.services.positions.learn("others", 100)
        await project(database_url, notify=False, things=1, others=1)
        assert (await get(edge, "/v1/things/", 50)).status_code == 503
        assert edge.services.positions.known["things"] == 1
        edge.services.positions.learn("things", 100)
        response = await get(edge, "/v1/things/", method="POST")
        assert (response.status_code, response.json()["data"]) == (201, {"rows": 0})
        assert "things" not in edge.services.positions.known


async def test_a_log_behind_the_known_position_is_read_again(database_url: str) -> None:
    """The database was restored; the missing position is not asked for again."""
    async with an_edge(database_url, router, position_wait=0.5) as edge:
        ASKED.clear()
        for path in ("/v1/heads/", "/v1/checks/"):
            edge.services.positions.learn(HEAD, 100)
            assert (await get(edge, path, 50)).status_code == 503
            assert edge.services.positions.known[HEAD] == 0
        assert len(ASKED) == 2


async def test_a_question_ahead_of_the_log_is_repeated_later(database_url: str) -> None:
    async with an_edge(database_url, router, position_wait=0.05) as edge:
        for wanted, status in ((None, 200), (COMMAND, 200), (COMMAND + 1, 503)):
            assert (await get(edge, "/v1/checks/", wanted)).status_code == status


async def test_a_position_is_reached_when_all_read_models_reached_it(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        positions = edge.services.positions
        positions.learn("things", 7)
        positions.learn("others", 6)
        assert await positions.reached(["things", "others"], 6, 0.01)
        assert not await positions.reached(["things", "others"], 7, 0.01)
        positions.forget(["things"])
        assert not await positions.reached(["things"], 1, 0.01)
        assert not await positions.reached([], 1, 0.01)  # the log's own head
        positions.learn(HEAD, 1)
        assert await positions.reached([], 1, 0.01)


async def test_news_that_arrives_late_takes_nothing_back(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        for heard in (100, 7):
            edge.services.positions.learn("things", heard)
        assert edge.services.positions.known["things"] == 100


async def heard(edge: Edge) -> None:
    """Until the listener is there: what was told before then it has not heard."""
    async with edge.services.pool.connection() as connection:
        for _ in range(500):
            await connection.execute("SELECT pg_notify('rollbook_projected', 'listener:1')")
            if "listener" in edge.services.positions.known:
                return
            await asyncio.sleep(0.01)
    raise AssertionError("no listener")


async def waited_for(edge: Edge) -> None:
    """Until a request waits."""
    await eventually(lambda: edge.services.positions.waiting)
